package dht

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/anacrolix/dht/v2/krpc"

	"github.com/peerproxy/peerproxy/internal/addr"
)

const (
	nodesHeader     = "# dht nodes, format 1"
	observedWord    = "observed"
	maxNodesFile    = 64 << 10 // bytes that are read
	maxSavedPerFile = 200      // nodes of each family
)

// ErrNotNodesFile is returned by [New] when Config.NodesFile names a file that holds something
// else, which must not be overwritten.
var ErrNotNodesFile = errors.New("dht: not a file of nodes")

// savedNodes is what is kept between runs: a line with ID and address for each node that
// answered, the latest first, and one with the address that other nodes saw.
type savedNodes struct {
	contacts []contact
	observed map[string]netip.Addr // by "udp4" and "udp6"
}

// of returns the contacts of one family.
func (s savedNodes) of(network string) []contact {
	var out []contact
	for _, c := range s.contacts {
		if familyOf(c.addr.Addr()) == network && len(out) < maxSavedPerFile {
			out = append(out, c)
		}
	}
	return out
}

// loadNodes reads the file at path. A file that does not exist or is empty is no error; lines that
// cannot be read are skipped.
func loadNodes(path string) (savedNodes, error) {
	saved := savedNodes{observed: make(map[string]netip.Addr)}
	if path == "" {
		return saved, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return saved, nil
	}
	if err != nil {
		return saved, fmt.Errorf("dht: nodes file: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(io.LimitReader(file, maxNodesFile))
	if lines.Scan() && lines.Text() != nodesHeader {
		return saved, fmt.Errorf("%w: %s", ErrNotNodesFile, path)
	}
	for lines.Scan() {
		saved.parseLine(lines.Text())
	}
	if err := lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return saved, fmt.Errorf("dht: nodes file: %w", err)
	}
	return saved, nil
}

func (s *savedNodes) parseLine(line string) {
	first, second, ok := strings.Cut(line, " ")
	if !ok {
		return
	}
	if first == observedWord {
		if ip, err := netip.ParseAddr(second); err == nil && addr.Public(ip) {
			s.observed[familyOf(ip)] = ip
		}
		return
	}
	id, err := ParseInfoHash(first)
	ap, err2 := netip.ParseAddrPort(second)
	if err != nil || err2 != nil || id == (InfoHash{}) || !mayPointAt(netip.Addr{}, ap) {
		return
	}
	s.contacts = append(s.contacts, contact{id: krpc.ID(id), addr: ap})
}

func (s savedNodes) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, nodesHeader)
	for _, network := range []string{"udp4", "udp6"} {
		if ip := s.observed[network]; ip.IsValid() {
			fmt.Fprintln(&b, observedWord, ip)
		}
	}
	for _, c := range s.contacts {
		fmt.Fprintln(&b, hex.EncodeToString(c.id[:]), c.addr)
	}
	return b.Bytes()
}

// toSave lists who answered in this run and fills up with those of the run before.
func (f *family) toSave() []contact {
	seen := make(map[netip.AddrPort]bool)
	var out []contact
	for _, c := range append(f.contacts.latest(), f.saved...) {
		if !seen[c.addr] && len(out) < maxSavedPerFile {
			seen[c.addr] = true
			out = append(out, c)
		}
	}
	return out
}

// save replaces the nodes file, unless there is nothing to put into it.
func (n *Node) save() error {
	if n.cfg.NodesFile == "" {
		return nil
	}
	saved := savedNodes{observed: make(map[string]netip.Addr)}
	for _, f := range n.families {
		saved.contacts = append(saved.contacts, f.toSave()...)
		if ip := f.contacts.observed().Addr(); addr.Public(ip) {
			saved.observed[f.network] = ip
		}
	}
	if len(saved.contacts) == 0 {
		return nil
	}
	if err := replaceFile(n.cfg.NodesFile, saved.encode()); err != nil {
		return fmt.Errorf("dht: save nodes: %w", err)
	}
	return nil
}

// replaceFile writes data beside path and renames it, so that a crash leaves the old file or the new one.
func replaceFile(path string, data []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
