package schemas

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Sealer makes what is personal of events unreadable without keys that can be destroyed, one for each subject: the topic
// and key of the records it stands in, "orders/1001". It must be safe for concurrent use.
type Sealer interface {
	// Seal encrypts b, which stands in the event id. ErrErased: nothing of the subject may be kept any more.
	Seal(subject string, id EventID, b []byte) ([]byte, error)
	// Open decrypts what Seal gave. ErrErased: the key is destroyed; ErrNoKey: the keys that are at hand lack it, see Learn;
	// ErrPoison: these bytes were never sealed for the subject and the event.
	Open(subject string, id EventID, sealed []byte) ([]byte, error)
	// Erased tells whether the subject's key was destroyed, as far as is known here.
	Erased(subject string) bool
	// Learn waits until every key that exists now is at hand.
	Learn(ctx context.Context) error
}

// What a Sealer says of a subject; test with errors.Is.
var (
	// ErrErased means that the subject's key was destroyed.
	ErrErased = errors.New("personal data is erased")
	// ErrNoKey means that the key is not at hand; it may have been made since.
	ErrNoKey = errors.New("the key of personal data is not at hand")
)

// SealWith has EncodeEvent seal what is personal and DecodeEvent open it. It must be called before the Serde is used.
func (s *Serde) SealWith(sealer Sealer) { s.sealer = sealer }

// seal is a value as it may stand in a topic: with what is personal sealed, or, of an erased subject, without it. at is where
// a value has its sealed part, fit makes what is personal of it a value that can be encoded.
func seal[T any](s *Serde, name, subject string, id EventID, v *T, at func(*T) *[]byte, fit func(*T)) (*T, error) {
	if s.sealer == nil || *at(v) != nil {
		return v, nil
	}
	o, p, some := splitters[name].split(reflect.ValueOf(v).Elem())
	if !some {
		return v, nil
	}
	open, personal := o.Addr().Interface().(*T), p.Addr().Interface().(*T)
	fit(personal)
	buf := scratch.Get().(*[]byte)
	b, err := formats[name].write((*buf)[:0], p)
	if err != nil {
		return nil, err
	}
	*at(open), err = s.sealer.Seal(subject, id, b)
	if *buf = b; cap(b) <= maxScratch {
		scratch.Put(buf)
	}
	if err != nil && !errors.Is(err, ErrErased) {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return open, nil
}

// sealEvent is seal for events, which tell in the open what their sealed part speaks of.
func (s *Serde) sealEvent(name string, ev *Event) (*Event, error) {
	open, err := seal(s, name, SealSubject(ev.Type.Topic(), ev.Subject), ev.ID, ev, func(ev *Event) *[]byte { return &ev.Sealed }, func(ev *Event) { ev.Time, ev.IngestedAt = never, never })
	if err == nil && open != ev && open.Sealed != nil {
		open.SealedSays = Says(ev) &^ Says(open)
	}
	return open, err
}

// open puts what is personal back into a value that w wrote, unless it is erased.
func open[T any](ctx context.Context, s *Serde, w *writer, name, subject string, id EventID, v *T, at func(*T) *[]byte) error {
	if s.sealer == nil || *at(v) == nil {
		return nil
	}
	b, err := s.sealer.Open(subject, id, *at(v))
	if errors.Is(err, ErrNoKey) {
		if err := s.sealer.Learn(ctx); err != nil {
			return fmt.Errorf("keys of personal data: %w", err)
		}
		b, err = s.sealer.Open(subject, id, *at(v))
	}
	switch {
	case errors.Is(err, ErrErased), errors.Is(err, ErrNoKey): // a key that is nowhere was destroyed with all of its root
		return nil
	case err != nil:
		return fmt.Errorf("open: %w", err)
	}
	personal := reflect.New(reflect.TypeFor[T]()).Elem()
	if err := formats[name].read(w, b, personal); err != nil {
		return fmt.Errorf("open: %w: %w", ErrPoison, err)
	}
	splitters[name].merge(reflect.ValueOf(v).Elem(), personal)
	*at(v) = nil
	return nil
}

func sealedOfQuarantined(q *Quarantined) *[]byte { return &q.Sealed }

// never is the time of an event that has none, and cannot be without one.
var never = time.Unix(0, 0).UTC()

// SealSubject is the subject under which the personal data of a key's records is sealed, and erased.
func SealSubject(topic, key string) string { return topic + "/" + key }

// QuarantineSubject is the subject of one quarantined delivery: whose data it holds nobody could read.
func QuarantineSubject(id EventID) string { return SealSubject("quarantine", string(id)) }

// Erased tells whether an event that was opened holds personal data of a subject that was erased since.
func (s *Serde) Erased(ev *Event) bool {
	if s.sealer == nil || !s.sealer.Erased(SealSubject(ev.Type.Topic(), ev.Subject)) {
		return false
	}
	_, _, some := splitters["order_event"].split(reflect.ValueOf(ev).Elem())
	return some
}

// PersonalTexts lists every personal text that an event's own fields have, the longest first. What its source called otherwise
// (Extensions) may be anything, such as a currency.
func PersonalTexts(ev *Event) []string {
	_, personal, some := splitters["order_event"].split(reflect.ValueOf(ev).Elem())
	if !some {
		return nil
	}
	p := personal.Addr().Interface().(*Event)
	p.Extensions = nil
	var out []string
	personalTexts(personal, &out)
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out
}

func personalTexts(v reflect.Value, out *[]string) {
	switch v.Kind() {
	case reflect.String:
		if v.Len() > 0 {
			*out = append(*out, strings.Clone(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			personalTexts(v.Elem(), out)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				personalTexts(v.Field(i), out)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			personalTexts(v.Index(i), out)
		}
	case reflect.Map:
		for iter := v.MapRange(); iter.Next(); {
			personalTexts(iter.Value(), out)
		}
	}
}

// splitters part the values of a schema by its marks.
var splitters = map[string]*splitter{
	"order_event":     newSplitter(formats["order_event"].root, reflect.TypeFor[Event]()),
	"customer_event":  newSplitter(formats["customer_event"].root, reflect.TypeFor[Event]()),
	"inventory_event": newSplitter(formats["inventory_event"].root, reflect.TypeFor[Event]()),
	"quarantined":     newSplitter(formats["quarantined"].root, reflect.TypeFor[Quarantined]()),
}

// splitter parts a record: a field that is marked moves whole, but for a record of which some fields are marked and some not.
type splitter struct {
	whole []int          // fields that move
	parts []splitterPart // fields that are parted
}

type splitterPart struct {
	index int
	inner *splitter // of the struct that the pointer, or each item of the slice, leads to
}

// newSplitter compiles a record; nil where nothing in it is marked.
func newSplitter(n *node, t reflect.Type) *splitter {
	s := &splitter{}
	for i := range t.NumField() {
		at := slices.IndexFunc(n.fields, func(f avroField) bool { return f.name == snake(t.Field(i).Name) })
		if at < 0 {
			continue // no place in this schema
		}
		f, inner := n.fields[at], recordIn(n.fields[at].typ)
		switch target := t.Field(i).Type; {
		case f.pii && !mixed(inner):
			s.whole = append(s.whole, i)
		case inner != nil && target.Kind() != reflect.Struct: // a pointer or a slice
			if part := newSplitter(inner, target.Elem()); part != nil {
				s.parts = append(s.parts, splitterPart{i, part})
			}
		}
	}
	if len(s.whole)+len(s.parts) == 0 {
		return nil
	}
	return s
}

// mixed tells whether some fields of a record are marked and some are not; false for nil.
func mixed(n *node) bool {
	if n == nil {
		return false
	}
	marks := 0
	for _, f := range n.fields {
		if f.pii {
			marks++
		}
	}
	return marks > 0 && marks < len(n.fields)
}

// recordIn is the record that a type is, may be, or lists; nil for none.
func recordIn(n *node) *node {
	switch n.kind {
	case avroRecord:
		return n
	case avroUnion:
		for _, b := range n.branches {
			if r := recordIn(b); r != nil {
				return r
			}
		}
	case avroArray:
		return recordIn(n.elem)
	}
	return nil
}

// split gives copies of a struct. Unless some of it is personal, it gives nothing.
func (s *splitter) split(v reflect.Value) (open, personal reflect.Value, some bool) {
	both := func() {
		if !some {
			open, personal, some = reflect.New(v.Type()).Elem(), reflect.New(v.Type()).Elem(), true
			open.Set(v)
		}
	}
	for _, i := range s.whole {
		if f := v.Field(i); !f.IsZero() {
			both()
			personal.Field(i).Set(f)
			open.Field(i).SetZero()
		}
	}
	for _, part := range s.parts {
		f := v.Field(part.index)
		if f.IsNil() {
			continue
		}
		if f.Kind() == reflect.Slice {
			if o, p, ok := part.inner.list(f); ok {
				both()
				open.Field(part.index).Set(o)
				personal.Field(part.index).Set(p)
			}
		} else if o, p, ok := part.inner.split(f.Elem()); ok {
			both()
			open.Field(part.index).Set(o.Addr())
			personal.Field(part.index).Set(p.Addr())
		}
	}
	return open, personal, some
}

// list parts the items of a slice; personal has as many.
func (s *splitter) list(v reflect.Value) (open, personal reflect.Value, some bool) {
	for i := range v.Len() {
		o, p, ok := s.split(v.Index(i))
		if !ok {
			continue
		}
		if !some {
			open, personal, some = reflect.MakeSlice(v.Type(), v.Len(), v.Len()), reflect.MakeSlice(v.Type(), v.Len(), v.Len()), true
			reflect.Copy(open, v)
		}
		open.Index(i).Set(o)
		personal.Index(i).Set(p)
	}
	return open, personal, some
}

// merge undoes split in v.
func (s *splitter) merge(v, personal reflect.Value) {
	for _, i := range s.whole {
		if f := personal.Field(i); !f.IsZero() {
			v.Field(i).Set(f)
		}
	}
	for _, part := range s.parts {
		f, p := v.Field(part.index), personal.Field(part.index)
		switch {
		case p.IsNil() || f.IsNil():
		case f.Kind() == reflect.Slice:
			for i := range min(f.Len(), p.Len()) {
				part.inner.merge(f.Index(i), p.Index(i))
			}
		default:
			part.inner.merge(f.Elem(), p.Elem())
		}
	}
}
