package metered

import (
	"context"
	"sync"
	"time"
)

const (
	askTime    = time.Second // for an answer
	remembered = time.Minute // an answer, or that there was none
)

// Network is the network that this machine is in. It is safe for concurrent use; the zero value
// is ready.
type Network struct {
	// Ask finds out whether the network is metered now, within the time that ctx gives; nil =
	// [NetworkManager]. An error means that it is not known.
	Ask func(ctx context.Context) (bool, error)

	mu      sync.Mutex // guards following, and is held while asking
	metered bool
	until   time.Time // that is believed
}

// Metered reports whether the network is metered, as far as is known: false if not. It takes no
// longer than a second, and asks at most once a minute.
func (n *Network) Metered(ctx context.Context) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Now().Before(n.until) {
		return n.metered
	}
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	ask := n.Ask
	if ask == nil {
		ask = NetworkManager
	}
	metered, err := ask(asking)
	if ctx.Err() != nil { // nobody was asked to the end
		return false
	}
	n.metered, n.until = metered && err == nil, time.Now().Add(remembered)
	return n.metered
}
