package node

import (
	"context"
	"slices"

	"github.com/peerproxy/peerproxy/internal/metered"
	"github.com/peerproxy/peerproxy/proxy"
)

// Recheck says whether what was fetched with a cookie is fetched a second time without one, to
// find out whether it may be shared.
type Recheck string

// The recheck modes. The zero value counts as RecheckAuto. A node that shares nothing fetches
// nothing a second time.
const (
	RecheckAuto Recheck = "auto" // while the network is not metered
	RecheckOn   Recheck = "on"
	RecheckOff  Recheck = "off"
)

// Metered says whether the network costs money by the byte.
type Metered string

// What is said of the network. The zero value counts as MeteredAuto.
const (
	MeteredAuto Metered = "auto" // the system is asked
	MeteredYes  Metered = "yes"
	MeteredNo   Metered = "no"
)

func (c Config) checkRecheck() error {
	switch {
	case !slices.Contains([]Recheck{"", RecheckAuto, RecheckOn, RecheckOff}, c.Recheck):
		return badConfig("recheck %q is none of auto, on, off", string(c.Recheck))
	case !slices.Contains([]Metered{"", MeteredAuto, MeteredYes, MeteredNo}, c.Metered):
		return badConfig("metered %q is none of auto, yes, no", string(c.Metered))
	}
	return nil
}

// recheck is what the proxy is told of it.
func (c Config) recheck() proxy.Recheck {
	r := proxy.Recheck{On: c.Recheck != RecheckOff && c.Share != ShareOff}
	if c.Recheck != RecheckOn {
		r.Metered = c.metered()
	}
	return r
}

func (c Config) metered() func(context.Context) bool {
	switch c.Metered {
	case MeteredYes, MeteredNo:
		return func(context.Context) bool { return c.Metered == MeteredYes }
	}
	return new(metered.Network).Metered
}
