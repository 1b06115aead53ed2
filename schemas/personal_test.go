package schemas

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vault is a Sealer that turns every bit over, forgets subjects when asked, and must learn before it opens.
type vault struct {
	erased  map[string]bool
	learned bool
}

func (v *vault) Seal(subject string, id EventID, b []byte) ([]byte, error) {
	if v.erased[subject] {
		return nil, ErrErased
	}
	return append([]byte(subject+"|"+string(id)+"|"), turned(b)...), nil
}

func (v *vault) Open(subject string, id EventID, sealed []byte) ([]byte, error) {
	if !v.learned {
		return nil, ErrNoKey
	}
	if v.erased[subject] {
		return nil, ErrErased
	}
	b, ok := bytes.CutPrefix(sealed, []byte(subject+"|"+string(id)+"|"))
	if !ok {
		return nil, ErrPoison
	}
	return turned(b), nil
}

func (v *vault) Learn(ctx context.Context) error {
	v.learned = ctx.Err() == nil
	return ctx.Err()
}

func (v *vault) Erased(subject string) bool { return v.erased[subject] }

func turned(b []byte) []byte {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= 0xff
	}
	return out
}

// TestSealed: an event comes back whole, and without the keys exactly the fields that its schema does not mark.
func TestSealed(t *testing.T) {
	t.Parallel()
	order, customer, inventory := filledEvents()
	for _, ev := range []*Event{order, customer, inventory} {
		t.Run(ev.Type.Topic(), func(t *testing.T) {
			t.Parallel()
			ev.Sealed, ev.SealedSays = nil, 0
			before := *ev
			s := newSerde(t)
			v := &vault{erased: map[string]bool{}}
			s.SealWith(v)
			b, err := s.EncodeEvent(t.Context(), ev.Type.Topic()+"-value", ev)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&before, ev); d != "" {
				t.Errorf("encoding changed the event (-before +after):\n%s", d)
			}
			for _, text := range PersonalTexts(ev) {
				if regexp.MustCompile(regexp.QuoteMeta(text)+`(\D|$)`).Match(b) && len(text) > 3 {
					t.Errorf("%q stands in the bytes", text)
				}
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.DecodeEvent(ended, b); !errors.Is(err, context.Canceled) {
				t.Errorf("keys that must be learned and cannot be: %v", err)
			}
			got, err := s.DecodeEvent(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(ev, got); d != "" {
				t.Errorf("opened (-want +got):\n%s", d)
			}
			left, err := s.DecodeSealed(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if left.Sealed == nil || Says(left) != Says(ev) {
				t.Errorf("left sealed it says %v, want %v", Says(left).Names(), Says(ev).Names())
			}
			if err := s.OpenEvent(t.Context(), left, b); err != nil || !cmp.Equal(ev, left) {
				t.Errorf("opened later: %v (-want +got):\n%s", err, cmp.Diff(ev, left))
			}

			v.erased[SealSubject(ev.Type.Topic(), ev.Subject)] = true
			got, err = s.DecodeEvent(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Sealed) == 0 {
				t.Error("what is erased does not say so")
			}
			_, native, err := s.DecodeNative(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			marked(t, formats[SchemaFor(ev.Type.Topic())].root, native, "")

			again, err := s.EncodeEvent(t.Context(), ev.Type.Topic()+"-value", ev) // it comes once more
			if err != nil {
				t.Fatal(err)
			}
			late, err := s.DecodeEvent(t.Context(), again)
			if err != nil {
				t.Fatal(err)
			}
			if got.Sealed, got.SealedSays = nil, 0; late.Sealed != nil {
				t.Error("what is erased was sealed again")
			}
			if d := cmp.Diff(got, late); d != "" {
				t.Errorf("an event of an erased subject (-want +got):\n%s", d)
			}
		})
	}
}

// marked holds every field of a decoded record to its mark: null, or in a list empty, where it is personal, and there where
// it is not.
func marked(t *testing.T, n *node, v any, at string) {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok || recordIn(n) == nil {
		return
	}
	for _, f := range recordIn(n).fields {
		path := strings.TrimPrefix(at+"."+f.name, ".")
		switch {
		case f.pii && f.name != "customer": // of which the ids are not
			if m[f.name] != nil {
				t.Errorf("%s is marked and stands in the open: %v", path, m[f.name])
			}
		case m[f.name] == nil && f.name != "inventory":
			t.Errorf("%s is not marked and is gone", path)
		default:
			if list, ok := m[f.name].([]any); ok {
				for _, item := range list {
					marked(t, f.typ, item, path)
				}
			} else {
				marked(t, f.typ, m[f.name], path)
			}
		}
	}
}

// TestSplitAndMerge: of events of all shapes nothing is lost, and nothing moves that has nothing personal.
func TestSplitAndMerge(t *testing.T) {
	t.Parallel()
	s, parted := splitters["order_event"], 0
	for seed := range uint64(300) {
		var ev Event
		randomizer{rand.New(rand.NewPCG(seed, 4)), false}.fill(reflect.ValueOf(&ev).Elem())
		open, personal, some := s.split(reflect.ValueOf(&ev).Elem())
		if !some {
			continue
		}
		parted++
		if _, left, more := s.split(open); more {
			t.Fatalf("seed %d: something personal was left: %+v", seed, left)
		}
		s.merge(open, personal)
		if d := cmp.Diff(&ev, open.Addr().Interface()); d != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, d)
		}
	}
	if parted < 100 {
		t.Errorf("only %d of 300 had anything personal", parted)
	}
	hollow := &Event{Order: &Order{}, Customer: &Customer{ID: "1", OrderIDs: []string{"2"}}, Refund: &Refund{ID: "1"}}
	if _, personal, some := s.split(reflect.ValueOf(hollow).Elem()); some {
		t.Errorf("ids are no personal data, and %+v was parted", personal)
	}
}
