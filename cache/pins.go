package cache

import "sync"

// pins knows which bodies are open, so that none of them is deleted. The numbers of
// bodies are never used again, which is why a look into the file after acquire is
// enough to know that the body is still there and stays.
type pins struct {
	idle func() // called when a doomed body has lost its last reader

	mu     sync.Mutex
	bodies map[uint64]*pin
}

type pin struct {
	readers   int
	doomed    bool // has no root, and goes with its last reader
	condemned bool // is being deleted by the transaction in progress: nobody may open it
}

func newPins(idle func()) *pins { return &pins{idle: idle, bodies: make(map[uint64]*pin)} }

func (p *pins) getLocked(body uint64) *pin {
	b := p.bodies[body]
	if b == nil {
		b = new(pin)
		p.bodies[body] = b
	}
	return b
}

// acquire keeps a body from being deleted. It returns false if it is too late.
func (p *pins) acquire(body uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.getLocked(body)
	if b.doomed || b.condemned {
		return false
	}
	b.readers++
	return true
}

// release is the counterpart of acquire. With doom, the body is deleted after its
// last reader.
func (p *pins) release(body uint64, doom bool) {
	p.mu.Lock()
	b := p.getLocked(body)
	b.readers--
	b.doomed = b.doomed || doom
	idle := b.readers == 0 && b.doomed
	if b.readers == 0 && !b.doomed && !b.condemned {
		delete(p.bodies, body)
	}
	p.mu.Unlock()
	if idle {
		p.idle()
	}
}

func (p *pins) open(body uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.bodies[body]
	return b != nil && b.readers > 0
}

// condemn claims a body for deletion. It returns false if somebody reads it.
func (p *pins) condemn(body uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.getLocked(body)
	if b.readers > 0 {
		return false
	}
	b.condemned = true
	return true
}

// acquit undoes condemn, after a transaction that failed.
func (p *pins) acquit(bodies []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, body := range bodies {
		b := p.getLocked(body)
		b.condemned = false
		if b.readers == 0 && !b.doomed {
			delete(p.bodies, body)
		}
	}
}

// doom says of bodies that they have no root any more.
func (p *pins) doom(bodies []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, body := range bodies {
		p.getLocked(body).doomed = true
	}
}

// drainable are the bodies that can be deleted now, at most n of them.
func (p *pins) drainable(n int) (bodies []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for body, b := range p.bodies {
		if len(bodies) == n {
			break
		}
		if b.doomed && b.readers == 0 {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// forget drops bodies of which nothing is left in the file.
func (p *pins) forget(bodies []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, body := range bodies {
		delete(p.bodies, body)
	}
}
