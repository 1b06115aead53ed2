package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// place is where an event lies; topic is without the prefix.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// end is one event in one integration.
type end struct {
	integration string
	place
}

// said is what an outcome says, less what the judge does not ask.
type said struct {
	end
	id      schemas.EventID
	kind    schemas.Kind
	reason  schemas.Reason
	subject string
	key     string
	detail  string // of parked ones only
	by      string // instance
	at      time.Time

	attempts string
	op       string
}

// ledgers is what the topics hold, read as any other team could: committed records only, no group.
type ledgers struct {
	topo    *topology.Topology
	serde   *schemas.Serde
	client  *kgo.Client
	tally   *tally
	readers map[string][]string // event topic to the integrations that read it

	mu       sync.Mutex
	lives    map[string]*life
	events   map[place]schemas.EventID
	places   map[schemas.EventID][]place
	latest   map[end]*said
	said     []*said
	open     map[end]bool               // read and without any outcome
	waits    map[end]bool               // parked for an event that should come
	awaited  map[schemas.EventID]bool   // taken, not read yet
	backs    map[schemas.EventID]string // events whose call was read back, to what was found
	ours     map[schemas.EventID]bool   // events that are Seam's own
	strays   []string                   // quarantined input and records that do not decode
	position map[string]map[int32]int64
}

// openLedgers reads the topics from their start until the test ends.
func openLedgers(t *testing.T, k *topologytest.Kafka, topo *topology.Topology, tl *tally) *ledgers {
	registry, err := sr.NewClient(sr.URLs(k.Registry))
	if err != nil {
		t.Fatal(err)
	}
	l := &ledgers{topo: topo, serde: schemas.NewSerde(registry), tally: tl, readers: map[string][]string{}, lives: map[string]*life{}, events: map[place]schemas.EventID{},
		places: map[schemas.EventID][]place{}, latest: map[end]*said{}, open: map[end]bool{}, waits: map[end]bool{}, awaited: map[schemas.EventID]bool{}, position: map[string]map[int32]int64{}, backs: map[schemas.EventID]string{}, ours: map[schemas.EventID]bool{}}
	topics := []string{topo.TopicName(topology.TopicReconciliation), topo.TopicName(topology.TopicQuarantine)}
	for i := range topo.Integrations {
		for _, topic := range topo.InputTopics(&topo.Integrations[i]) {
			if name := strings.TrimPrefix(topic, topo.Prefix); l.readers[name] == nil {
				topics = append(topics, topic)
			}
			name := strings.TrimPrefix(topic, topo.Prefix)
			l.readers[name] = append(l.readers[name], topo.Integrations[i].Name)
		}
	}
	l.client = k.Client(t, kgo.ConsumeTopics(topics...), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() { l.read(ctx) })
	t.Cleanup(func() { cancel(); reading.Wait() })
	return l
}

func (l *ledgers) read(ctx context.Context) {
	for ctx.Err() == nil {
		records := l.client.PollFetches(ctx).Records()
		l.mu.Lock()
		for _, rec := range records {
			if !rec.Attrs.IsControl() {
				err := l.take(ctx, rec)
				for errors.Is(err, schemas.ErrRegistry) && ctx.Err() == nil { // on a busy machine the first schema takes long
					err = l.take(ctx, rec)
				}
				if err != nil && ctx.Err() == nil {
					l.strays = append(l.strays, fmt.Sprintf("%s/%d/%d: %v", rec.Topic, rec.Partition, rec.Offset, err))
				}
			}
			if l.position[rec.Topic] == nil {
				l.position[rec.Topic] = map[int32]int64{}
			}
			l.position[rec.Topic][rec.Partition] = rec.Offset + 1
		}
		l.mu.Unlock()
		if len(records) > 0 {
			l.tally.add("read")
		}
	}
}

// take reads one record. The lock is held.
func (l *ledgers) take(ctx context.Context, rec *kgo.Record) error {
	topic := strings.TrimPrefix(rec.Topic, l.topo.Prefix)
	switch topic {
	case topology.TopicQuarantine:
		q, err := l.serde.DecodeQuarantined(ctx, rec.Value)
		if err != nil {
			return err
		}
		return fmt.Errorf("quarantined without cause: %s %s: %s", q.Source, q.DeliveryID, q.Reason)
	case topology.TopicReconciliation:
		o, err := l.serde.DecodeOutcome(ctx, rec.Value)
		if err != nil {
			return err
		}
		s := &said{end: end{o.Integration, place{o.Topic, o.Partition, o.Offset}}, id: o.EventID, kind: o.Kind, reason: o.Reason, subject: o.OrderID, key: o.IdempotencyKey, by: o.Instance, at: o.At, attempts: attempts(o), op: o.Operation}
		if o.Kind == schemas.Parked {
			s.detail = o.Detail
		}
		l.said, l.latest[s.end] = append(l.said, s), s
		delete(l.open, s.end)
		if delete(l.waits, s.end); parked(s) && (s.reason == schemas.ReasonNeeds || s.reason == schemas.ReasonFacts) && !mayWait(l.lives[s.subject], s) {
			l.waits[s.end] = true
		}
		return nil
	}
	env, ok := schemas.EnvelopeOf(rec.Headers)
	if !ok {
		return errors.New("an event without its envelope")
	}
	if env.Type == schemas.OrderObserved {
		ev, err := l.serde.DecodeEvent(ctx, rec.Value)
		if err != nil {
			return err
		}
		l.ours[ev.ID] = true
		l.backs[ev.ReadBack.EventID] = ev.ReadBack.Result
	}
	at := place{topic, rec.Partition, rec.Offset}
	l.events[at], l.places[env.ID] = env.ID, append(l.places[env.ID], at)
	delete(l.awaited, env.ID)
	for _, in := range l.readers[topic] {
		if e := (end{in, at}); l.latest[e] == nil {
			l.open[e] = true
		}
	}
	return nil
}

func parked(s *said) bool { return s.kind == schemas.Parked }

// mayWait tells whether an event may wait for another for ever: a request for fulfillment whose order is never paid.
func mayWait(l *life, s *said) bool {
	return l != nil && s.integration == "warehouse" && s.reason == schemas.ReasonNeeds && !l.paid && !l.cancelled
}

// expect makes settled wait for the posts, and says what lives they tell of.
func (l *ledgers) expect(lives []*life, posts []*post) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range lives {
		l.lives[x.id] = x
	}
	for _, p := range posts {
		l.awaited[p.id] = true
	}
}

// settled tells whether all that is expected was read and has an outcome everywhere, and nothing waits that should not.
func (l *ledgers) settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.awaited)+len(l.open)+len(l.waits) == 0
}

// unread names a call of the warehouse that was answered and not read back, nor taken back; nil for none.
func (l *ledgers) unread() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	back := map[string]bool{}
	for _, s := range l.said {
		back[s.subject] = back[s.subject] || s.op == "cancel" && s.kind.Final()
	}
	for _, s := range l.said {
		if s.integration != "warehouse" || s.op != "fulfill" || s.kind != schemas.Delivered && s.kind != schemas.AlreadyDone || back[s.subject] {
			continue
		}
		if result := l.backs[s.id]; result != schemas.ReadFound {
			return fmt.Errorf("the warehouse answered for %s, and a read-back says %q", s.subject, result)
		}
	}
	return nil
}

// unsettled says what settled waits for, the first few of each, and the subjects concerned.
func (l *ledgers) unsettled() (text string, subjects []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text = fmt.Sprintf("%d events were not read, %d have no outcome, %d wait: ", len(l.awaited), len(l.open), len(l.waits))
	for _, ends := range []map[end]bool{l.open, l.waits} {
		n := 0
		for e := range ends {
			if n++; n > 8 {
				break
			}
			text += fmt.Sprintf("\n  %v %s", e, l.events[e.place])
			if s := l.latest[e]; s != nil {
				text += fmt.Sprintf(" of %s is %s/%s: %s", s.subject, s.kind, s.reason, s.detail)
				subjects = append(subjects, s.subject)
			}
		}
	}
	return text, subjects
}

// atEnd tells whether everything committed in a topic was read.
func (l *ledgers) atEnd(ctx context.Context, adm *kadm.Client, topic string) error {
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, o := range ends[topic] {
		if at := l.position[topic][p]; at < o.Offset {
			return fmt.Errorf("%s/%d is read up to %d of %d", topic, p, at, o.Offset)
		}
	}
	return nil
}

// exported is what finance reads in the export's files: a call per row, in the order of each file.
func exported(dir string) ([]call, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.csv"))
	if err != nil {
		return nil, err
	}
	var out []call
	known := map[string]bool{}
	for _, name := range files { // Glob sorts them
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil || len(rows) == 0 {
			return nil, fmt.Errorf("export %s: %d rows: %w", name, len(rows), err)
		}
		event, kind, order := slices.Index(rows[0], "event_id"), slices.Index(rows[0], "type"), slices.Index(rows[0], "order_id")
		for _, r := range rows[1:] {
			out = append(out, call{system: "export", op: r[kind], subject: r[order], key: r[0], event: schemas.EventID(r[event]), effect: !known[r[0]], answer: filepath.Base(name)})
			known[r[0]] = true
		}
	}
	return out, nil
}

// attempts is a word for each attempt of an outcome.
func attempts(o *schemas.Outcome) string {
	var words []string
	for _, a := range o.Attempts {
		words = append(words, fmt.Sprintf("%s +%d ms %s %d %s", a.At.Format("05.000"), a.TookMS, a.Class, a.Status, a.Detail))
	}
	return strings.Join(words, "; ")
}
