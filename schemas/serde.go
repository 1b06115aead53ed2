package schemas

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/sr"
)

// Serde turns the records of every topic to and from Confluent-framed Avro bytes. It asks the registry once for each
// schema and remembers the answer for ever, as ids never change their meaning. Safe for concurrent use.
type Serde struct {
	client  *sr.Client
	mu      sync.RWMutex
	ids     map[subjectSchema]int
	writers sync.Map // int to *writer
	sealer  Sealer   // nil leaves events as they are
}

type subjectSchema struct{ subject, schema string }

// writer is a schema some record was written with.
type writer struct {
	text  string
	root  *node
	codec *goavro.Codec
	err   error    // why no record of it can ever be read
	plans sync.Map // name of our schema to *plan
	named sync.Once
	as    string // name of the event schema of ours that its records are; see event
}

// plan turns natives of a writer into natives of a schema of ours; nil resolve means that they are the same already.
type plan struct {
	resolve resolver
	err     error
}

// NewSerde talks to a Confluent-compatible registry. It does no I/O yet.
func NewSerde(client *sr.Client) *Serde {
	return &Serde{client: client, ids: map[subjectSchema]int{}}
}

// Register makes a schema of ours known under a subject ("orders-value") and gives its id. Repeating it changes
// nothing. ErrIncompatible when the subject's compatibility forbids it, ErrRegistry when the registry is away.
func (s *Serde) Register(ctx context.Context, subject, schemaName string) (int, error) {
	f := formats[schemaName]
	if f == nil {
		return 0, fmt.Errorf("register %s: no schema of that name; known: %v", schemaName, SchemaNames())
	}
	id, err := s.client.RegisterSchema(ctx, subject, sr.Schema{Schema: f.text, Type: sr.TypeAvro}, -1, -1)
	if err != nil {
		if err = registryError(err); errors.Is(err, ErrUnknownSchema) { // what is registered needs no schema
			err = fmt.Errorf("%w: it has no such API, or lost a schema that its subject refers to: %s", ErrRegistry, err.Error())
		}
		return 0, fmt.Errorf("register %s under %s: %w", schemaName, subject, err)
	}
	s.remember(subjectSchema{subject, schemaName}, id, f)
	return id, nil
}

// remember keeps the id of a schema of ours.
func (s *Serde) remember(key subjectSchema, id int, f *format) {
	s.writers.LoadOrStore(id, &writer{text: f.text, root: f.root, codec: f.codec})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[key] = id
}

// Know asks the registry for the id of a schema of ours under a subject, if it is not at hand, so that values can be encoded
// without I/O. Errors are those of Register.
func (s *Serde) Know(ctx context.Context, subject, schemaName string) error {
	f := formats[schemaName]
	if f == nil {
		return fmt.Errorf("know %s: no schema of that name; known: %v", schemaName, SchemaNames())
	}
	_, err := s.id(ctx, subject, f)
	return err
}

// id is the schema's id under the subject: from memory, else by a look-up, else by registering it.
func (s *Serde) id(ctx context.Context, subject string, f *format) (int, error) {
	key := subjectSchema{subject, f.name}
	s.mu.RLock()
	id, ok := s.ids[key]
	s.mu.RUnlock()
	if ok {
		return id, nil
	}
	found, err := s.client.LookupSchema(ctx, subject, sr.Schema{Schema: f.text, Type: sr.TypeAvro})
	if err != nil {
		if err = registryError(err); errors.Is(err, ErrUnknownSchema) {
			return s.Register(ctx, subject, f.name)
		}
		return 0, fmt.Errorf("look up %s under %s: %w", f.name, subject, err)
	}
	s.remember(key, found.ID, f)
	return found.ID, nil
}

// Cached tells whether the schema b was written with is at hand: then decoding it does no I/O. Bytes without a header
// are true, as they fail without I/O too.
func (s *Serde) Cached(b []byte) bool {
	id, _, err := SplitHeader(b)
	if err != nil {
		return true
	}
	_, ok := s.writers.Load(id)
	return ok
}

// Learn asks the registry for a schema, if it is not at hand, so that values written with it can be decoded without I/O.
func (s *Serde) Learn(ctx context.Context, id uint32) error {
	_, err := s.writer(ctx, int(id))
	return err
}

// writer is the schema with that id, from memory or from the registry.
func (s *Serde) writer(ctx context.Context, id int) (*writer, error) {
	if w, ok := s.writers.Load(id); ok {
		return w.(*writer), w.(*writer).err
	}
	found, err := s.client.SchemaByID(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("fetch schema %d: %w", id, registryError(err))
	}
	refs, err := s.references(ctx, found.References, map[string]bool{})
	if err != nil {
		return nil, fmt.Errorf("fetch what schema %d refers to: %w", id, err)
	}
	w := newWriter(found, refs)
	if w.err != nil {
		w.err = fmt.Errorf("%w: schema %d: %w", ErrPoison, id, w.err)
	}
	kept, _ := s.writers.LoadOrStore(id, w)
	return kept.(*writer), kept.(*writer).err
}

// references fetches the texts a schema refers to, what they refer to first.
func (s *Serde) references(ctx context.Context, list []sr.SchemaReference, seen map[string]bool) ([]string, error) {
	var out []string
	for _, ref := range list {
		key := fmt.Sprint(ref.Subject, "/", ref.Version)
		if seen[key] {
			continue
		}
		seen[key] = true
		found, err := s.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		if err != nil {
			return nil, fmt.Errorf("%s version %d: %w", ref.Subject, ref.Version, registryError(err))
		}
		deeper, err := s.references(ctx, found.References, seen)
		if err != nil {
			return nil, err
		}
		out = append(append(out, deeper...), found.Schema.Schema)
	}
	return out, nil
}

func newWriter(found sr.Schema, refs []string) *writer {
	w := &writer{text: found.Schema}
	if found.Type != sr.TypeAvro {
		w.err = fmt.Errorf("it is %s, not Avro", found.Type)
		return w
	}
	if w.root, w.err = parseSchema(found.Schema, refs...); w.err == nil {
		w.codec, w.err = newCodec(w.root)
	}
	return w
}

// planFor is how records of w become records of f, worked out once.
func (w *writer) planFor(f *format) *plan {
	if p, ok := w.plans.Load(f.name); ok {
		return p.(*plan)
	}
	p := &plan{}
	if w.text != f.text && !sameWire(w.root, f.root, map[*node]bool{}) {
		p.resolve, p.err = compileResolver(w.root, f.root)
	}
	kept, _ := w.plans.LoadOrStore(f.name, p)
	return kept.(*plan)
}

// event names the event schema of ours that the writer's records are, worked out once.
func (w *writer) event() string {
	w.named.Do(func() {
		w.as = "order_event"
		for _, other := range []string{"customer_event", "inventory_event"} {
			if nameMatch(w.root, formats[other].root) != noMatch {
				w.as = other
			}
		}
	})
	return w.as
}

// sameWire tells whether two schemas write the same values as the same bytes under the same names: registries give a
// schema back in their own layout, often without its docs.
func sameWire(a, b *node, seen map[*node]bool) bool {
	if a.kind != b.kind || a.name != b.name || a.logical != b.logical || a.precision != b.precision || a.scale != b.scale || a.size != b.size ||
		len(a.fields) != len(b.fields) || len(a.branches) != len(b.branches) || !slices.Equal(a.symbols, b.symbols) {
		return false
	}
	if seen[a] {
		return true
	}
	seen[a] = true
	for i := range a.fields {
		if a.fields[i].name != b.fields[i].name || !sameWire(a.fields[i].typ, b.fields[i].typ, seen) {
			return false
		}
	}
	for i := range a.branches {
		if !sameWire(a.branches[i], b.branches[i], seen) {
			return false
		}
	}
	return a.elem == nil || sameWire(a.elem, b.elem, seen)
}

// registryError classes what the registry or the way to it said.
func registryError(err error) error {
	var re *sr.ResponseError
	if errors.As(err, &re) {
		switch re.StatusCode {
		case http.StatusNotFound:
			return fmt.Errorf("%w: %w", ErrUnknownSchema, err)
		case http.StatusConflict, http.StatusUnprocessableEntity:
			return fmt.Errorf("%w: %w", ErrIncompatible, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrRegistry, err)
}
