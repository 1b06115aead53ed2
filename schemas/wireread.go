package schemas

import (
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"time"
)

// wireReader reads Avro's base types from a record's bytes.
type wireReader struct {
	b []byte
	i int
	// whole is b as one text, of which the texts that are read are parts: for records that are kept whole anyhow, which then
	// cost one copy and not one for each text. Empty for others, as one id that is kept would keep its whole event.
	whole string
}

// errShort tells bytes that end before the value does.
var errShort = fmt.Errorf("avro: %w", io.ErrUnexpectedEOF)

// long reads a zigzag varint. As goavro does, it drops the bits of an overlong one.
func (r *wireReader) long() (int64, error) {
	u, err := r.varint()
	return int64(u>>1) ^ -int64(u&1), err
}

func (r *wireReader) varint() (uint64, error) {
	var u uint64
	for shift := uint(0); r.i < len(r.b); shift += 7 {
		b := r.b[r.i]
		r.i++
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return u, nil
		}
	}
	return 0, errShort
}

// bytes reads a length and so many bytes.
func (r *wireReader) bytes() ([]byte, error) {
	n, err := r.long()
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, fmt.Errorf("avro: a length of %d", n)
	}
	if n > int64(len(r.b)-r.i) {
		return nil, errShort
	}
	r.i += int(n)
	return r.b[r.i-int(n) : r.i], nil
}

func (r *wireReader) text() (string, error) {
	p, err := r.bytes()
	if r.whole != "" && err == nil {
		return r.whole[r.i-len(p) : r.i], nil
	}
	return string(p), err
}

// block reads the head of a block of an array or map: how many items follow, 0 at the end. Every item takes a byte at
// least, so a block cannot claim more items than there are bytes.
func (r *wireReader) block() (int, error) {
	n, err := r.long()
	if err == nil && n < 0 {
		if n == math.MinInt64 {
			return 0, fmt.Errorf("avro: a block of %d items", n)
		}
		n = -n
		_, err = r.long() // its size in bytes
	}
	switch {
	case err != nil:
		return 0, err
	case n > maxBlockItems:
		return 0, fmt.Errorf("avro: a block of %d items, more than %d", n, maxBlockItems)
	case n > int64(len(r.b)-r.i):
		return 0, errShort
	}
	return int(n), nil
}

// readWire reads one value and nothing after it; kept tells that the value is kept whole.
func readWire(w wired, body []byte, kept bool, v reflect.Value) error {
	r := wireReader{b: body}
	if kept {
		r.whole = string(body)
	}
	if err := w.read(&r, v); err != nil {
		return err
	}
	if left := len(body) - r.i; left != 0 {
		return fmt.Errorf("%d bytes left after the value", left)
	}
	return nil
}

func readRecord(fields []wiredField) func(*wireReader, reflect.Value) error {
	return func(r *wireReader, v reflect.Value) error {
		for i := range fields {
			f := &fields[i]
			if err := f.read(r, v.Field(f.index)); err != nil {
				return under(f.name, err)
			}
		}
		return nil
	}
}

func readOptional(inner wired, t reflect.Type, pointer bool) func(*wireReader, reflect.Value) error {
	return func(r *wireReader, v reflect.Value) error {
		switch branch, err := r.long(); {
		case err != nil:
			return err
		case branch == 0:
			return nil
		case branch != 1:
			return fmt.Errorf("avro: branch %d of a union of 2", branch)
		}
		if pointer {
			v.Set(reflect.New(t))
			v = v.Elem()
		}
		return inner.read(r, v)
	}
}

func readLong(r *wireReader, v reflect.Value) error {
	i, err := r.long()
	v.SetInt(i)
	return err
}

// readInt keeps 32 bits of an overlong one, as goavro does.
func readInt(r *wireReader, v reflect.Value) error {
	u, err := r.varint()
	v.SetInt(int64(int32(u>>1) ^ -int32(u&1)))
	return err
}

func readBytes(r *wireReader, v reflect.Value) error {
	p, err := r.bytes()
	v.SetBytes(append([]byte{}, p...)) // the record's own may be kept by nobody
	return err
}

func readText(r *wireReader, v reflect.Value) error {
	s, err := r.text()
	v.SetString(s)
	return err
}

func readTime(r *wireReader, v reflect.Value) error {
	us, err := r.long()
	if err != nil {
		return err
	}
	if us < firstSecond*1_000_000 || us >= (lastSecond+1)*1_000_000 {
		return fmt.Errorf("year %d is outside 1 to 9999", time.UnixMicro(us).UTC().Year())
	}
	*v.Addr().Interface().(*time.Time) = time.UnixMicro(us).UTC()
	return nil
}

func readArray(inner wired, t reflect.Type) func(*wireReader, reflect.Value) error {
	return func(r *wireReader, v reflect.Value) error {
		for at := 0; ; {
			n, err := r.block()
			if err != nil {
				return err
			}
			if at == 0 {
				v.Set(reflect.MakeSlice(t, n, n))
			} else {
				v.Grow(n)
				v.SetLen(at + n)
				v.Slice(at, at+n).Clear() // what Grow leaves there is not said to be zero
			}
			if n == 0 {
				return nil
			}
			for ; n > 0; n-- {
				if err := inner.read(r, v.Index(at)); err != nil {
					return under(fmt.Sprintf("[%d]", at), err)
				}
				at++
			}
		}
	}
}

func readMap(r *wireReader, v reflect.Value) error {
	var out map[string]string
	for {
		n, err := r.block()
		if err != nil {
			return err
		}
		if out == nil {
			out = make(map[string]string, n)
		}
		if n == 0 {
			*v.Addr().Interface().(*map[string]string) = out
			return nil
		}
		for ; n > 0; n-- {
			key, err := r.text()
			if err != nil {
				return err
			}
			if _, twice := out[key]; twice {
				return errors.New("avro: a key is there twice")
			}
			if out[key], err = r.text(); err != nil {
				return under(key, err)
			}
		}
	}
}
