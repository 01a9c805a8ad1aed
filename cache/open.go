package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

// Open opens the cache file at path, or creates it. It returns [ErrLocked] if another
// process has it, [ErrNewerSchema] or [ErrCorrupt] if it can't be used; the file is
// then as it was. Bodies that were being written when the file was last used are
// removed. With Config.Inspect, Open neither creates nor changes anything. The caller
// closes the Store.
func Open(path string, cfg Config) (*Store, error) {
	s, err := open(path, cfg)
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrNewerSchema):
		return nil, fmt.Errorf("cache: open %s: %w (it was left as it is; with the file moved away, the cache starts empty)", path, err)
	default:
		return nil, fmt.Errorf("cache: open %s: %w", path, err)
	}
}

func open(path string, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if !cfg.Inspect {
		if err := create(path, cfg); err != nil {
			return nil, err
		}
	}
	found, err := inspect(path, cfg)
	if err != nil {
		return nil, err
	}
	s := newStore(cfg.withQuota(found.quota))
	s.setQuota = cfg.Quota
	if s.db, s.file, err = openBolt(path, s.options(found.high)); err != nil {
		return nil, err
	}
	s.db.AllocSize = s.sizes.alloc
	s.page = int64(s.db.Info().PageSize)
	if err := s.start(); err != nil {
		s.tier.close()
		return nil, errors.Join(err, s.shut())
	}
	go s.run()
	return s, nil
}

func newStore(cfg Config) *Store {
	s := &Store{cfg: cfg, sizes: sizesFor(cfg.Quota), tier: newTier(cfg.MemoryTier), stopped: make(chan struct{})}
	s.queue = newQueue(s.sizes.queue, s.sizes.commit)
	s.pins = newPins(s.queue.wake)
	s.touched.full = s.queue.wake
	s.clock.now = cfg.Now
	s.piece = s.sizes.chunk
	return s
}

// options are those for daily use, of a file whose pages end at high.
func (s *Store) options(high int64) bolt.Options {
	if s.cfg.Inspect {
		return bolt.Options{Timeout: s.cfg.LockTimeout, ReadOnly: true, PreLoadFreelist: true}
	}
	o := bolt.Options{
		Timeout:      s.cfg.LockTimeout,
		FreelistType: bolt.FreelistMapType,
		// Written at every commit, the list of free pages would be most of what is
		// written to a large file. It is written once, by Close.
		NoFreelistSync: true,
	}
	// The last line of defence: the file can't grow past the quota. If it is larger
	// already, some room is needed to delete anything at all.
	limit := max(s.cfg.Quota, high+max(s.sizes.commit, 1<<20)+int64(s.sizes.alloc))
	if strconv.IntSize == 64 {
		o.MaxSize = int(limit)
		// A map that never has to grow: growing it waits for all readers, and lets
		// all others wait meanwhile. On Windows it would be as large on the disk.
		if runtime.GOOS != "windows" {
			o.InitialMmapSize = int(min(limit, maxMap))
		}
	}
	return o
}

// maxMap bounds the address space that is taken in advance, in bytes.
const maxMap = 1 << 40

// openBolt opens a bbolt file that exists, and returns the descriptor beside it.
func openBolt(path string, o bolt.Options) (db *bolt.DB, file *os.File, err error) {
	o.OpenFile = func(path string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
		file = f
		return f, err
	}
	defer func() {
		if err != nil && file != nil {
			file.Close() // and with it the lock, which bbolt leaves behind if it panics
		}
	}()
	defer guard(&err)()
	db, err = bolt.Open(path, 0o600, &o)
	return db, file, translate(err)
}

// start reads what is kept in memory and removes what a crash has left.
func (s *Store) start() error {
	err := s.view(func(tx *bolt.Tx) (err error) {
		if s.state, err = parseState(tx.Bucket(systemBucket).Get(stateKey)); err != nil {
			return err
		}
		if k, _ := tx.Bucket(orderBucket).Cursor().Last(); k != nil {
			s.clock.last, _, err = parseOrderKey(k)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.nextBody.Store(max(s.state.nextBody, 1))
	s.measure()
	if s.cfg.Inspect {
		return nil
	}
	if err := s.sweep(); err != nil {
		return fmt.Errorf("remove unfinished bodies: %w", err)
	}
	s.queue.wake() // to evict, if the quota has been lowered
	return nil
}

// sweep deletes the bodies that nobody committed.
func (s *Store) sweep() error {
	var left []uint64
	err := s.view(func(tx *bolt.Tx) error {
		left = left[:0]
		return tx.Bucket(pendingBucket).ForEach(func(k, _ []byte) error {
			if len(k) != 8 {
				return fmt.Errorf("%w: key of a pending body", ErrCorrupt)
			}
			left = append(left, binary.BigEndian.Uint64(k))
			return nil
		})
	})
	if err != nil {
		return err
	}
	s.pins.doom(left)
	for len(s.pins.drainable(1)) > 0 {
		if _, err := s.update((*txn).drain); err != nil {
			return err
		}
	}
	return nil
}

// create makes an empty cache file at path unless there is a file. It appears there
// at once and whole, so that a crash does not leave half of one.
func create(path string, cfg Config) error {
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if err := temp.Close(); err != nil {
		return err
	}
	if err := fill(temp.Name(), cfg); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	// A link, unlike a rename, does not replace what somebody else made meanwhile.
	err = os.Link(temp.Name(), path)
	if _, missing := os.Stat(path); errors.Is(missing, fs.ErrNotExist) {
		err = os.Rename(temp.Name(), path) // a file system without links
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	syncDir(filepath.Dir(path))
	return err
}

// syncDir makes a new file survive a loss of power. Not every system can do that.
func syncDir(path string) {
	if d, err := os.Open(path); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// fill writes the empty buckets into an empty file.
func fill(path string, cfg Config) error {
	db, _, err := openBolt(path, bolt.Options{Timeout: cfg.LockTimeout})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		system := tx.Bucket(systemBucket)
		if err := system.Put(schemaKey, binary.BigEndian.AppendUint64(nil, schemaVersion)); err != nil {
			return err
		}
		if cfg.Quota != 0 {
			if err := system.Put(quotaKey, formatQuota(cfg.Quota)); err != nil {
				return err
			}
		}
		return system.Put(stateKey, state{nextBody: 1}.append(nil))
	})
	return errors.Join(err, db.Close())
}

// inspected is what has to be known of a file before it is opened for use.
type inspected struct {
	high  int64 // how far its pages reach, in bytes
	quota int64 // recorded, 0 if none is
}

// inspect decides whether the file may be used, without writing to it: bbolt would
// change it at once.
func inspect(path string, cfg Config) (found inspected, err error) {
	// Before bbolt gets to see it, since bbolt believes what the file says.
	if _, err = inspectFile(path, quickCheck); err != nil {
		return found, err
	}
	db, file, err := openBolt(path, bolt.Options{ReadOnly: true, Timeout: cfg.LockTimeout})
	if err != nil {
		return found, err
	}
	err = view(db, func(tx *bolt.Tx) (err error) {
		if err = checkSchema(tx); err == nil {
			found.quota, err = parseQuota(tx.Bucket(systemBucket).Get(quotaKey))
		}
		return err
	})
	if err == nil {
		found.high, err = checkPages(file, pagesIfNeeded)
	}
	return found, errors.Join(err, db.Close())
}

func inspectFile(path string, depth checkDepth) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return checkPages(f, depth)
}

// checkSchema refuses what is no cache file, or one that this version does not know.
func checkSchema(tx *bolt.Tx) error {
	system := tx.Bucket(systemBucket)
	if system == nil {
		return ErrCorrupt
	}
	v := system.Get(schemaKey)
	if len(v) != 8 {
		return ErrCorrupt
	}
	switch version := binary.BigEndian.Uint64(v); {
	case version > schemaVersion:
		return fmt.Errorf("%w: schema %d, known is %d", ErrNewerSchema, version, schemaVersion)
	case version < schemaVersion:
		return fmt.Errorf("%w: schema %d", ErrCorrupt, version)
	}
	for _, name := range allBuckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: bucket %s is missing", ErrCorrupt, name)
		}
	}
	return nil
}
