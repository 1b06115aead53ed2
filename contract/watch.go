package contract

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const (
	newsEvery   = 2 * time.Second // how often what changed is published
	countsEvery = 5 * time.Minute // and what only counted on
	lastWords   = 5 * time.Second // for the last of both, when the process ends
	// oldAfter is when another process's record is taken over by who starts, and removed.
	oldAfter = 24 * time.Hour
	// maxTopics bounds the subjects of one source: topics may be whatever a header says.
	maxTopics = 256
)

// Config is what a Watch needs.
type Config struct {
	Topology   *topology.Topology
	Options    []kgo.Opt // how to reach the cluster
	Serde      *schemas.Serde
	Instance   string // of this process, not empty
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Now        func() time.Time // our clock. Default time.Now
}

// Watch holds the subjects of a process. A nil Watch gives nil Subjects, which look at nothing. Safe for concurrent use.
type Watch struct {
	Config
	drifted  *prometheus.CounterVec // seam_contract_drift_total{side,name,kind}
	observed *prometheus.CounterVec // seam_contract_documents_total{side,name}
	before   map[string]*schemas.Contract
	old      map[string][]string // by subject: keys to remove once it is published anew

	subjects sync.Map // key to *Subject
	known    sync.Map // known to *Subject: the same, found at less cost
	mu       sync.Mutex
	topics   map[string]int // by side and name
	room     atomic.Int64   // paths that may still be kept
}

// Open reads what is known from before and gives a Watch that goes on from there. A topic that cannot be read is an error.
func Open(ctx context.Context, c Config) (*Watch, error) {
	w := newWatch(c)
	if c.Registerer != nil {
		for _, m := range []prometheus.Collector{w.drifted, w.observed} {
			if err := c.Registerer.Register(m); err != nil {
				return nil, fmt.Errorf("register contract metrics: %w", err)
			}
		}
	}
	records, err := ReadConfig{Options: c.Options, Serde: c.Serde, Topology: c.Topology}.records(ctx)
	if err != nil {
		return nil, fmt.Errorf("contracts: %w", err)
	}
	for key, r := range records {
		w.before[r.Subject] = Join(w.before[r.Subject], r)
		if r.Instance != c.Instance && w.Now().Sub(r.At) > oldAfter {
			w.old[r.Subject] = append(w.old[r.Subject], key)
		}
	}
	return w, nil
}

// Detached is a Watch without a cluster: it knows nothing from before and must not Run. For measurements.
func Detached(t *topology.Topology) *Watch { return newWatch(Config{Topology: t}) }

func newWatch(c Config) *Watch {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"side", "name"}, labels...))
	}
	w := &Watch{Config: c, before: map[string]*schemas.Contract{}, old: map[string][]string{}, topics: map[string]int{},
		drifted:  counter("seam_contract_drift_total", "Documents that were not as expected, of those looked at: new, missing, type, value; and answers of a status that is not declared.", "kind"),
		observed: counter("seam_contract_documents_total", "Documents looked at.")}
	w.room.Store(maxAllPaths)
	return w
}

// known is how callers name a subject: a source and a topic, or a route.
type known struct {
	source *topology.Source
	topic  string
	route  *topology.Route
}

// Source is a topic of a source; nil where there are too many.
func (w *Watch) Source(s *topology.Source, topic string) *Subject {
	if w == nil {
		return nil
	}
	if topic = topicName(topic); topic == anyName {
		return w.subject(topology.SideSource, s.Name, topic, s.Team)
	}
	return w.find(known{source: s, topic: topic}, func() *Subject { return w.subject(topology.SideSource, s.Name, topic, s.Team) })
}

// Integration is a route of an integration.
func (w *Watch) Integration(in *topology.Integration, r *topology.Route) *Subject {
	if w == nil {
		return nil
	}
	return w.find(known{route: r}, func() *Subject {
		return w.subject(topology.SideIntegration, in.Name, topology.RouteName(in, r), in.Team)
	})
}

func (w *Watch) find(k known, otherwise func() *Subject) *Subject {
	if s, ok := w.known.Load(k); ok {
		return s.(*Subject)
	}
	s := otherwise()
	if s != nil {
		w.known.Store(k, s)
	}
	return s
}

// Key is the key of a subject.
func Key(side, name, topic string) string { return side + "/" + name + "/" + topic }

func (w *Watch) subject(side, name, topic, team string) *Subject {
	key := Key(side, name, topic)
	if s, ok := w.subjects.Load(key); ok {
		return s.(*Subject)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.subjects.Load(key); ok {
		return s.(*Subject)
	}
	if w.topics[side+name] >= maxTopics {
		return nil
	}
	w.topics[side+name]++
	s := w.open(side, name, topic, team)
	w.subjects.Store(key, s)
	return s
}

// topicName is a topic as it may stand in a key: what looks like no name of a topic is one of many.
func topicName(topic string) string {
	if topic == "" || len(topic) > maxPath {
		return anyName
	}
	from := 0
	for i := range len(topic) {
		if c := topic[i]; c == '/' || c == '.' || c == ' ' {
			if step(topic[from:i]) == anyName {
				return anyName
			}
			from = i + 1
		}
	}
	if step(topic[from:]) == anyName {
		return anyName
	}
	return topic
}

// open is a subject that goes on from what is known.
func (w *Watch) open(side, name, topic, team string) *Subject {
	s := &Subject{key: Key(side, name, topic), side: side, name: name, topic: topic, team: team, learn: int64(cmp.Or(w.Topology.Learn, 200)), log: w.Logger, now: w.Now,
		observed: w.observed.WithLabelValues(side, name), root: newPlace("", false), room: &w.room, statuses: map[int]*schemas.ContractStatus{}, drifts: map[schemas.ContractDrift]*drift{}}
	s.drifted = func(kind string) { w.drifted.WithLabelValues(side, name, kind).Inc() }
	for _, kind := range []string{New, Missing, Type, Word, Status} {
		w.drifted.WithLabelValues(side, name, kind) // at 0 from the first document on: an increase from nothing is not seen
	}
	if known := w.before[s.key]; known != nil {
		s.base = *known
		delete(w.before, s.key)
		for _, p := range known.Paths {
			if at := s.find(p.Path); at != nil {
				at.recall(p)
			}
		}
	}
	rules := s.base.Baseline
	if shape, ok := w.Topology.Declared(side, name, topic); ok {
		rules = Rules(shape)
		s.hold(ByFile, rules)
	} else if rules != nil {
		s.hold(ByLearned, rules)
	}
	if s.declared != "" {
		for _, d := range Pending(s.base.Drifts, rules, Declares(w.Topology, side, name, topic)) {
			s.drifts[keyOf(d)] = &drift{ContractDrift: d}
		}
	}
	return s
}

// Declares tells of a status, as text, whether a route's answers or HTTP say what it means.
func Declares(t *topology.Topology, side, name, topic string) func(string) bool {
	in := t.Integration(name)
	return func(status string) bool {
		if in == nil || side != topology.SideIntegration {
			return false
		}
		for i := range in.Deliver {
			if r := &in.Deliver[i]; topology.RouteName(in, r) == topic {
				a := r.Answers
				for _, code := range slices.Concat(a.Delivered, a.AlreadyDone, a.Rejected, a.Retry) {
					if fmt.Sprint(code) == status {
						return true
					}
				}
			}
		}
		return false
	}
}

// snapshot is the subject as it is published.
func (s *Subject) snapshot(instance string, at time.Time) *schemas.Contract {
	out := &schemas.Contract{Subject: s.key, Side: s.side, Name: s.name, Topic: s.topic, Instance: instance, Team: s.team, Declared: s.declared,
		Documents: s.base.Documents + s.docs, Passed: s.base.Passed + s.passed.Load(), Crowded: s.base.Crowded + s.crowded, First: earlier(s.base.First, s.first),
		Last: later(s.base.Last, s.last), Paths: s.seen(), At: at}
	if s.declared == ByLearned {
		s.root.each(func(p, _ *place) {
			if p.rule != nil {
				r := schemas.ContractRule{Path: p.path, Types: p.rule.kinds.String(), Required: p.rule.required}
				if p.rule.words != nil {
					r.Values = slices.Sorted(maps.Keys(p.rule.words))
				}
				out.Baseline = append(out.Baseline, r)
			}
		})
		slices.SortFunc(out.Baseline, func(a, b schemas.ContractRule) int { return cmp.Compare(a.Path, b.Path) })
	}
	statuses := map[int64]schemas.ContractStatus{}
	for _, st := range s.base.Statuses {
		statuses[st.Status] = st
	}
	for _, st := range s.statuses {
		before, next := statuses[st.Status], *st
		next.Count, next.First = next.Count+before.Count, earlier(before.First, next.First)
		statuses[st.Status] = next
	}
	for _, code := range slices.Sorted(maps.Keys(statuses)) {
		out.Statuses = append(out.Statuses, statuses[code])
	}
	for _, d := range s.drifts {
		out.Drifts = append(out.Drifts, d.ContractDrift)
	}
	slices.SortFunc(out.Drifts, func(a, b schemas.ContractDrift) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Seen, b.Seen))
	})
	return out
}

// Run publishes what changed until ctx ends, and what is left then. It returns nil; what cannot be published is tried again.
func (w *Watch) Run(ctx context.Context) error {
	client, err := kgo.NewClient(append(slices.Clone(w.Options), kgo.ProducerBatchMaxBytes(4194304))...) // max.message.bytes of the topic
	if err != nil {
		return fmt.Errorf("contracts: %w", err)
	}
	defer client.Close()
	tick := time.NewTicker(newsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.publish(ctx, client, countsEvery)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			defer cancel()
			w.publish(last, client, 0)
			return nil
		}
	}
}

// publish writes every subject that has news, or has counted on for so long.
func (w *Watch) publish(ctx context.Context, client *kgo.Client, counts time.Duration) {
	topic := w.Topology.TopicName(topology.TopicContracts)
	w.subjects.Range(func(key, value any) bool {
		s := value.(*Subject)
		c := s.due(w.Instance, w.Now(), counts)
		if c == nil {
			return true
		}
		b, err := w.Serde.EncodeContract(ctx, topic+"-value", c)
		if err == nil {
			records := []*kgo.Record{{Topic: topic, Key: []byte(c.Subject + "/" + w.Instance), Value: b}}
			for _, old := range w.old[c.Subject] {
				records = append(records, &kgo.Record{Topic: topic, Key: []byte(old)}) // what it knew is in ours
			}
			err = client.ProduceSync(ctx, records...).FirstErr()
		}
		if err != nil {
			s.again()
			w.Logger.Warn("contract not published", "subject", c.Subject, "error", err)
			return ctx.Err() == nil
		}
		delete(w.old, c.Subject)
		return true
	})
}

// due is what is to be published now; nil for nothing.
func (s *Subject) due(instance string, now time.Time, counts time.Duration) *schemas.Contract {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.news && (!s.counted || now.Sub(s.wrote) < counts) {
		return nil
	}
	s.news, s.counted, s.wrote = false, false, now
	return s.snapshot(instance, now)
}

// again has the subject published at the next tick.
func (s *Subject) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news = true
}
