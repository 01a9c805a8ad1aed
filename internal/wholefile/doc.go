// Package wholefile reads and writes the small files that a program keeps for itself: keys,
// certificates, settings. What it writes is there as a whole and synced, or not at all, also after a
// crash; what it reads is bounded and nobody else's, or refused.
//
// All functions may be called at once, by several processes, too.
package wholefile
