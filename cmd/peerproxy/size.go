package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a number of bytes, written like 500MB, 10GiB or 4096.
type size int64

var units = []struct {
	suffix string
	bytes  float64
}{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"B", 1},
}

// UnmarshalText implements encoding.TextUnmarshaler, which kong and TOML use.
func (s *size) UnmarshalText(text []byte) error {
	number, factor := strings.ToUpper(strings.TrimSpace(string(text))), 1.0
	for _, u := range units {
		if rest, found := strings.CutSuffix(number, u.suffix); found {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n*factor >= 1) || n*factor > math.MaxInt64/2 {
		return fmt.Errorf("%q is not a size such as 500MB or 10GiB", text)
	}
	*s = size(n * factor)
	return nil
}

// String writes the size with three digits or so, in powers of 1024.
func (s size) String() string {
	const steps = "KMGTP"
	n, step := float64(s), -1
	for n >= 1024 && step < len(steps)-1 {
		n, step = n/1024, step+1
	}
	if step < 0 {
		return fmt.Sprintf("%d B", int64(s))
	}
	return fmt.Sprintf("%.1f %ciB", n, steps[step])
}
