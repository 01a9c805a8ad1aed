package trust

import (
	"errors"
	"fmt"

	"github.com/dunglas/httpsfv"
)

// maxInput bounds the text of covered components and parameters, in bytes.
const maxInput = 32 << 10

// formatInput serialises covered components and parameters as they stand in the
// Signature-Input field and in the signature base (RFC 9421 sections 2.3 and 4.1).
func formatInput(covered []component, params *httpsfv.Params) (string, error) {
	list := httpsfv.InnerList{Items: make([]httpsfv.Item, len(covered)), Params: params}
	for i, c := range covered {
		list.Items[i] = c.item()
	}
	return httpsfv.Marshal(list)
}

// parseInput is the inverse of [formatInput], for any signer's input. It takes other
// spellings too: duplicated parameters, blanks. Who relies on one spelling compares
// with what formatInput gives.
func parseInput(input string) ([]component, *httpsfv.Params, error) {
	if len(input) > maxInput {
		return nil, nil, fmt.Errorf("input longer than %d bytes", maxInput)
	}
	members, err := httpsfv.UnmarshalList([]string{input})
	if err != nil {
		return nil, nil, err
	}
	if len(members) != 1 {
		return nil, nil, errors.New("input is not one member")
	}
	list, ok := members[0].(httpsfv.InnerList)
	if !ok {
		return nil, nil, errors.New("input is no inner list")
	}
	covered := make([]component, len(list.Items))
	for i, item := range list.Items {
		if covered[i], err = parseComponent(item); err != nil {
			return nil, nil, err
		}
	}
	return covered, list.Params, nil
}
