package main

import (
	"crypto/rand"
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"

	goqr "github.com/piglig/go-qr"

	"github.com/peerproxy/peerproxy/trust"
)

// TestQRIsRead draws invitations, takes what is drawn for a picture, and has it read by
// a library that has nothing to do with the one that drew.
func TestQRIsRead(t *testing.T) {
	var v trust.Invitation
	_, _ = rand.Read(v.Secret[:])
	v.Inviter = trust.Entry{Key: trust.NewIdentity().Key(), Name: "Zoë"}
	for range 8 {
		text, err := v.Text()
		if err != nil {
			t.Fatal(err)
		}
		lines, err := qrLines(text)
		if err != nil {
			t.Fatalf("%d introduced: %v", len(v.Introduced), err)
		}
		got, err := goqr.Decode(picture(t, lines))
		if err != nil || got != text {
			t.Errorf("%d introduced: read %q, %v\n%s", len(v.Introduced), got, err, strings.Join(lines, "\n"))
		}
		v.Introduced = append(v.Introduced, trust.Entry{Key: trust.NewIdentity().Key(), Name: "bob", Sites: []string{"example.org"}})
	}
}

func TestQRTooWide(t *testing.T) {
	for text, want := range map[string]error{
		strings.Repeat("A", 1000):   nil,
		strings.Repeat("A", 3000):   errQRTooWide,
		strings.Repeat("A", 10_000): errQRTooWide,
	} {
		lines, err := qrLines(text)
		if !errors.Is(err, want) || err == nil && len([]rune(lines[0])) > maxQRColumns {
			t.Errorf("%d characters: %v", len(text), err)
		}
	}
}

// picture is what a terminal shows, with some points for each module.
func picture(t *testing.T, lines []string) image.Image {
	t.Helper()
	const points = 4
	width := len([]rune(lines[0]))
	img := image.NewGray(image.Rect(0, 0, width*points, 2*len(lines)*points))
	for y, line := range lines {
		runes := []rune(line)
		if len(runes) != width {
			t.Fatalf("line %d has %d columns, not %d", y, len(runes), width)
		}
		for x, c := range runes {
			for half, dark := range []bool{c == '█' || c == '▀', c == '█' || c == '▄'} {
				for i := range points * points {
					shade := color.Gray{Y: 255}
					if dark {
						shade.Y = 0
					}
					img.Set(x*points+i%points, (2*y+half)*points+i/points, shade)
				}
			}
		}
	}
	return img
}
