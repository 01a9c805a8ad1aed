package peer

import (
	"encoding/binary"
	"sync/atomic"
)

// A frame of the multiplexer begins with version(1) type(1) flags(2) stream(4) length(4).
const (
	frameHeader = 12
	frameData   = 0 // the type whose header is followed by length bytes
)

const (
	freeFrames    = 4096 // data frames of any size that a session may send
	bytesPerFrame = 64   // that the others must carry, on average

	// maxUnread is how much of its questions a peer may send before we read it, over all
	// streams of the session. Windows would allow 64 MiB, and questions are short.
	maxUnread = 2 << 20
)

// frameGuard looks at the frames that come in, before the multiplexer does. That
// one allocates what the header of a data frame says, up to the stream's window, and
// keeps a slice header for each frame until its bytes are read: a stranger could
// cost 16 MiB with 12 bytes, or forty times the window with frames of one byte. So a
// frame must fit into a message, frames must not be tiny on average, and what comes
// on streams that the other side opened must be about as much as we read from them.
type frameGuard struct {
	parity uint32       // of the stream numbers of the other side
	read   atomic.Int64 // bytes that we have read from these streams

	header  [frameHeader]byte
	have    int   // bytes of the header that have been seen
	skip    int   // bytes of data until the next header
	frames  int64 // data frames so far
	carried int64 // bytes in them
	asked   int64 // of these, on streams of the other side
}

// check looks at the next bytes of the stream. Its error is final.
func (g *frameGuard) check(p []byte) error {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(p))
			g.skip -= n
			p = p[n:]
			continue
		}
		n := copy(g.header[g.have:], p)
		g.have += n
		p = p[n:]
		if g.have < frameHeader {
			return nil
		}
		g.have = 0
		if err := g.account(); err != nil {
			return err
		}
	}
	return nil
}

func (g *frameGuard) account() error {
	if g.header[1] != frameData {
		return nil
	}
	length := binary.BigEndian.Uint32(g.header[8:])
	if length > maxMessage-frameHeader {
		return errFlood
	}
	g.skip = int(length)
	g.frames++
	g.carried += int64(length)
	if binary.BigEndian.Uint32(g.header[4:])%2 == g.parity {
		g.asked += int64(length)
	}
	if g.asked-g.read.Load() > maxUnread {
		return errFlood
	}
	if g.frames > freeFrames && g.carried < (g.frames-freeFrames)*bytesPerFrame {
		return errFlood
	}
	return nil
}
