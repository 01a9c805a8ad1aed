package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"rsc.io/qr"
)

// maxQRColumns is as wide as a QR code on a terminal may be.
const maxQRColumns = 100

// quietZone is the light border that a QR code needs, in modules (ISO/IEC 18004 section 6.3.8).
const quietZone = 4

var errQRTooWide = errors.New("too long for a QR code on a terminal")

// qrLines draws a QR code with half blocks, two rows of modules a line.
func qrLines(text string) ([]string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil || code.Size+2*quietZone > maxQRColumns {
		return nil, errQRTooWide
	}
	var lines []string
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		var line strings.Builder
		for x := -quietZone; x < code.Size+quietZone; x++ {
			upper, lower := code.Black(x, y), code.Black(x, y+1)
			switch {
			case upper && lower:
				line.WriteRune('█')
			case upper:
				line.WriteRune('▀')
			case lower:
				line.WriteRune('▄')
			default:
				line.WriteByte(' ')
			}
		}
		lines = append(lines, line.String())
	}
	return lines, nil
}

// printQR draws in black on white, whatever the terminal's colours are.
func printQR(a *app, text string) error {
	lines, err := qrLines(text)
	if err != nil {
		return err
	}
	for _, line := range lines {
		a.printf("\x1b[30;107m%s\x1b[0m\n", line)
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
