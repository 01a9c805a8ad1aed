//go:build !race

package cache

// raceEnabled makes some tests smaller.
const raceEnabled = false
