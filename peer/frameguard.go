package peer

import "encoding/binary"

// A frame of the multiplexer begins with version(1) type(1) flags(2) stream(4) length(4).
const (
	frameHeader = 12
	frameData   = 0 // the type whose header is followed by length bytes
)

const (
	freeFrames    = 4096 // data frames of any size that a session may send
	bytesPerFrame = 64   // that the others must carry, on average
)

// frameGuard looks at the frames that come in, before the multiplexer does. That
// one allocates what the header of a data frame says, up to the stream's window, and
// keeps a slice header for each frame until its bytes are read: a stranger could
// cost 16 MiB with 12 bytes, or forty times the window with frames of one byte. So a
// frame must fit into a message, and frames must not be tiny on average.
type frameGuard struct {
	header  [frameHeader]byte
	have    int   // bytes of the header that have been seen
	skip    int   // bytes of data until the next header
	frames  int64 // data frames so far
	carried int64 // bytes in them
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
	if g.frames > freeFrames && g.carried < (g.frames-freeFrames)*bytesPerFrame {
		return errFlood
	}
	return nil
}
