package dht

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"time"
)

// EpochLength is how long an epoch lasts.
const EpochLength = 7 * 24 * time.Hour

// How far the epochs of announcing and of looking up overlap. Whoever announces is under the next
// epoch for epochLead before the present one ends, and whoever looks up then asks for both; after the end the
// former one is looked up for epochLag, in which those announce whose clock is late and who have
// many announcements to make. So any two find each other whose clocks differ by no more than
// epochLead, as those do that are right to an hour each.
const (
	epochLead = 2 * time.Hour
	epochLag  = time.Hour
)

// epochZero begins epoch 0: a Monday.
var epochZero = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)

// Epoch returns the number of the week that t is in, counted from Monday, 1 January 2024, 0:00 UTC.
// It is negative before.
func Epoch(t time.Time) int64 {
	since := t.Unix() - epochZero.Unix() // in seconds: a time.Duration ends after 292 years
	length := int64(EpochLength / time.Second)
	n := since / length
	if since%length < 0 {
		n--
	}
	return n
}

// EpochSecret returns the secret of one epoch: HMAC-SHA-256(secret, "epoch" ‖ 0 ‖ number in decimal
// digits). Who has it, and not secret, can tell nothing of another epoch.
func EpochSecret(secret []byte, epoch int64) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("epoch\x00" + strconv.FormatInt(epoch, 10)))
	return mac.Sum(nil)
}

// AnnounceEpochs lists the epochs under which to announce at t, the present one first: in the
// last two hours of an epoch the next one too.
func AnnounceEpochs(t time.Time) []int64 { return epochs(t, epochLead, 0) }

// LookupEpochs lists the epochs under which to look up at t, the present one first: in the last two
// hours of an epoch the next one too, in its first hour the former one.
func LookupEpochs(t time.Time) []int64 { return epochs(t, epochLead, epochLag) }

// epochs lists the epoch of t, and those that begin within lead or have ended within lag.
func epochs(t time.Time, lead, lag time.Duration) []int64 {
	list := []int64{Epoch(t)}
	for _, other := range []int64{Epoch(t.Add(lead)), Epoch(t.Add(-lag))} {
		if other != list[0] {
			list = append(list, other)
		}
	}
	return list
}
