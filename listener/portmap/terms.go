package portmap

import (
	"math/rand/v2"
	"time"
)

// terms is what a gateway is asked for, and how far it has been given in to.
type terms struct {
	port  uint16
	lease time.Duration // 0 = without end
	tries int           // of other ports
}

const (
	maxPortTries = 4
	firstPort    = 1024 // below it, gateways give ports only to the privileged
)

// giveIn changes the terms so that the gateway may agree after the fault, and
// reports whether another try makes sense. It ends: each change is made once,
// or a few times.
func (t *terms) giveIn(req Request, fault int) bool {
	switch fault {
	case faultPermanentOnly, faultInvalidArgs: // 402 is what some say instead of 725
		if t.lease == 0 {
			return false
		}
		t.lease = 0
		return true
	case faultSamePort:
		if t.port == req.InternalPort || t.tries >= maxPortTries {
			return false
		}
		t.tries = maxPortTries // no port but this one
		t.port = req.InternalPort
		return true
	case faultConflict, faultOtherMechs:
		return t.otherPort()
	case faultNotAuthorized:
		return t.port < firstPort && t.otherPort()
	}
	return false
}

func (t *terms) otherPort() bool {
	if t.tries >= maxPortTries {
		return false
	}
	t.tries++
	t.port = uint16(firstPort + rand.IntN(1<<16-firstPort))
	return true
}
