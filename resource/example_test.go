package resource_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

func ExampleParseURL() {
	u, err := resource.ParseURL("HTTP://WWW.Example.org:80/a/../%7Esmith/?q=%7E#top")
	fmt.Println(u, u.Site(), err)
	// Output: http://www.example.org/~smith/?q=%7E example.org <nil>
}

// A range of a body travels with the part of the tree that proves it.
func ExampleSliceReader() {
	content := strings.Repeat("All that is gold does not glitter. ", 10000)
	h := resource.NewHasher()
	io.Copy(h, strings.NewReader(content))
	var tree bytes.Buffer
	if err := h.WriteOutboard(&tree); err != nil {
		fmt.Println(err)
	}
	body := h.Body()

	var wire bytes.Buffer
	err := resource.WriteSlice(&wire, strings.NewReader(content), bytes.NewReader(tree.Bytes()), body.Length, 200000, 10)
	fmt.Println(wire.Len(), wire.Len() == int(resource.SliceSize(body.Length, 200000, 10)), err)

	got, err := io.ReadAll(resource.NewSliceReader(bytes.NewReader(wire.Bytes()), body, 200000, 10))
	fmt.Printf("%q %v\n", got, err)

	wire.Bytes()[1000] ^= 1
	got, err = io.ReadAll(resource.NewSliceReader(&wire, body, 200000, 10))
	fmt.Printf("%q %v\n", got, err)
	// Output:
	// 16704 true <nil>
	// "s gold doe" <nil>
	// "" bytes do not match the root
}
