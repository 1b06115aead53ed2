package sealing

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/s2"

	"github.com/binaryandbeyond/seam/schemas"
)

// A sealed part is the root's id (16 bytes), the nonce (12 bytes), and the AES-256-GCM of a byte that tells how the rest is
// packed, and the rest. The event's id is authenticated beside it.
const (
	nonceSize = 12
	headSize  = len(uuid.UUID{}) + nonceSize
)

// How a part is packed.
const (
	packedNot = iota
	packedS2
)

// packFrom is the size in bytes from which packing pays.
const packFrom = 200

// plains holds buffers for what is about to be encrypted, of maxPlain bytes at most.
var plains = sync.Pool{New: func() any { return new([]byte) }}

const maxPlain = 64 << 10

// keys is every root that is known, and when it was made. Safe for concurrent use.
type keys struct {
	mu      sync.RWMutex
	trees   map[uuid.UUID]tree
	born    map[uuid.UUID]time.Time
	current uuid.UUID            // the newest root
	ciphers map[name]cipher.AEAD // of subjects that were asked for since the roots changed
}

// name is a leaf under a root.
type name struct {
	root uuid.UUID
	leaf node
}

// maxCiphers is how many subjects' ciphers are at hand: several integrations read the same events at about the same time.
const maxCiphers = 1 << 13

func newKeys() *keys {
	return &keys{trees: map[uuid.UUID]tree{}, born: map[uuid.UUID]time.Time{}, ciphers: map[name]cipher.AEAD{}}
}

// put takes a part of a root in; nil nodes take the root out.
func (k *keys) put(root uuid.UUID, part int, born time.Time, nodes map[node]seed) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ciphers = map[name]cipher.AEAD{}
	t := tree{}
	for p, n := range k.trees[root] {
		t[p] = n
	}
	if t[part] = nodes; nodes == nil {
		delete(t, part)
	}
	if k.trees[root] = t; len(t) == 0 {
		delete(k.trees, root)
		delete(k.born, root)
		return
	}
	if part != wholeRoot {
		return
	}
	k.born[root] = born
	if newest := k.born[k.current]; born.After(newest) || born.Equal(newest) && bytes.Compare(root[:], k.current[:]) > 0 {
		k.current = root
	}
}

// aead is the cipher of a subject under a root.
func (k *keys) aead(root uuid.UUID, subject string) (cipher.AEAD, error) {
	n := name{root, leaf(subject)}
	k.mu.RLock()
	t, ok := k.trees[root]
	a, ciphers := k.ciphers[n], k.ciphers
	k.mu.RUnlock()
	switch {
	case a != nil:
		return a, nil
	case !ok:
		return nil, schemas.ErrNoKey
	}
	key, ok := t.key(n.leaf)
	if !ok {
		return nil, schemas.ErrErased
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	if a, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(ciphers) >= maxCiphers {
		clear(ciphers)
	}
	ciphers[n] = a // where a root changed meanwhile, these are nobody's any more
	return a, nil
}

func (k *keys) seal(subject string, id schemas.EventID, b []byte) ([]byte, error) {
	k.mu.RLock()
	root := k.current
	k.mu.RUnlock()
	a, err := k.aead(root, subject)
	if err != nil {
		return nil, err
	}
	buf := plains.Get().(*[]byte)
	plain := append((*buf)[:0], packedNot)
	if len(b) >= packFrom {
		plain = slices.Grow(plain, s2.MaxEncodedLen(len(b)))
		if packed := s2.Encode(plain[1:cap(plain)], b); len(packed) < len(b) {
			plain, plain[0] = plain[:1+len(packed)], packedS2
		}
	}
	if plain[0] == packedNot {
		plain = append(plain, b...)
	}
	if *buf = plain; cap(plain) <= maxPlain {
		defer plains.Put(buf)
	}
	out := make([]byte, headSize, headSize+len(plain)+a.Overhead())
	copy(out, root[:])
	if _, err := rand.Read(out[len(root):]); err != nil {
		return nil, err
	}
	return a.Seal(out, out[len(root):headSize], plain, []byte(id)), nil
}

// maxPart is the largest part that is unpacked, in bytes: a record's largest is a megabyte, and its text shrinks to a tenth at
// most times.
const maxPart = 64 << 20

func (k *keys) open(subject string, id schemas.EventID, sealed []byte) ([]byte, error) {
	if len(sealed) < headSize {
		return nil, fmt.Errorf("%w: %d sealed bytes are shorter than their head of %d", schemas.ErrPoison, len(sealed), headSize)
	}
	root := uuid.UUID(sealed[:16])
	a, err := k.aead(root, subject)
	if err != nil {
		return nil, err
	}
	plain, err := a.Open(nil, sealed[len(root):headSize], sealed[headSize:], []byte(id))
	if err == nil && len(plain) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: sealed under another key, or for another event: %w", schemas.ErrPoison, err)
	}
	switch plain[0] {
	case packedNot:
		return plain[1:], nil
	case packedS2:
		size, err := s2.DecodedLen(plain[1:])
		if err == nil && size > maxPart {
			err = fmt.Errorf("%d bytes when unpacked, more than %d", size, maxPart)
		}
		if err == nil {
			plain, err = s2.Decode(nil, plain[1:])
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", schemas.ErrPoison, err)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("%w: packed by %d, which this version does not know", schemas.ErrPoison, plain[0])
}
