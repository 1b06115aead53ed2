package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// File is integrations/NAME.test.yaml: what an integration is to do with events.
type File struct {
	Integration string    `yaml:"-"`
	Name        string    `yaml:"-"` // of the file, in the topology's folder
	doc         yaml.Node // for Update
	// Env are the variables of the topology while it is tested; those it does not name are the process's.
	Env map[string]string `yaml:"env"`
	// System is whose word an event is that names no system.
	System schemas.System `yaml:"system"`
	Cases  []Case         `yaml:"cases"`
}

// Case is one event, and what is wanted of it.
type Case struct {
	Name  string    `yaml:"name"`
	Event yaml.Node `yaml:"event"`
	// Given is what was there before.
	Given Given `yaml:"given"`
	// Now is the clock. Default the event's time.
	Now  time.Time `yaml:"now"`
	Want Want      `yaml:"want"`
	Line int       `yaml:"-"`
}

// Given is what the integration knows of the order before the event.
type Given struct {
	// Before are events that came before, in order; each call they came to succeeded.
	Before []yaml.Node `yaml:"before"`
	// Seen are types that were seen of the order.
	Seen []schemas.EventType `yaml:"seen"`
	// Done maps operations that were made to the source version they were made of, "" for none.
	Done map[string]string `yaml:"done"`
	// Finished are ids of events that were finished.
	Finished []schemas.EventID `yaml:"finished"`
	// Total is the order's: "20.00 EUR". Refunds are those made of it, by id.
	Total   string            `yaml:"total"`
	Refunds map[string]string `yaml:"refunds"`
	// Applied maps fields that stand in the downstream to their source version.
	Applied map[schemas.Field]string `yaml:"applied"`
	// Parked is the reason for which an earlier event of the order is parked.
	Parked schemas.Reason `yaml:"parked"`
	// Behind are types that wait behind the event.
	Behind []schemas.EventType `yaml:"behind"`
	// Facts are what the integration may be told, for bodies that name facts: their members are those of docs/facts.md.
	Facts yaml.Node `yaml:"facts"`
	// Attempted: a call was made whose effect is not known. Released: a person asked for the event now.
	Attempted bool `yaml:"attempted"`
	Released  bool `yaml:"released"`
}

// Want is what is to become of the event. What it does not name is not compared.
type Want struct {
	// Decision is "call", "withheld/not_owner", "parked/needs", ... "call" where Request is given.
	Decision  string `yaml:"decision"`
	Operation string `yaml:"operation"`
	// Withheld are all the fields that are not sent, and why.
	Withheld map[string]string `yaml:"withheld"`
	Request  *WantRequest      `yaml:"request"`
}

// WantRequest is the request that is to be made.
type WantRequest struct {
	Method string `yaml:"method"`
	URL    string `yaml:"url"`
	// Headers are some of those that are sent; what authenticates is "Bearer ***".
	Headers map[string]string `yaml:"headers"`
	// Body is the whole body, BodyHas a part of it: members that are not named may be there.
	Body    yaml.Node `yaml:"body"`
	BodyHas yaml.Node `yaml:"body_has"`
	// Row is some of the columns, for a route that writes a file.
	Row map[string]string `yaml:"row"`
}

func (w *Want) empty() bool {
	return w.Decision == "" && w.Operation == "" && w.Withheld == nil && w.Request == nil
}

// TestFile is the name of an integration's test file in the topology's folder.
func TestFile(integration string) string {
	return path.Join("integrations", integration+topology.TestSuffix)
}

// Files reads the test files of some integrations, or all there are when none is named. A named one without a file is an
// error, as is every key that is not known.
func Files(fsys fs.FS, names ...string) ([]*File, error) {
	if len(names) == 0 {
		found, err := fs.Glob(fsys, TestFile("*"))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			names = append(names, strings.TrimSuffix(path.Base(f), topology.TestSuffix))
		}
	}
	var out []*File
	var faults []error
	for _, name := range names {
		f, err := readFile(fsys, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		out = append(out, f)
	}
	return out, errors.Join(faults...)
}

// readFile reads one strictly.
func readFile(fsys fs.FS, name string) (*File, error) {
	f := &File{Integration: name, Name: TestFile(name)}
	b, err := fs.ReadFile(fsys, f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: write what %s is to do with an event there", f.Name, name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	dec := yaml.NewDecoder(strings.NewReader(string(b)))
	dec.KnownFields(true)
	if err := dec.Decode(f); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	if err := yaml.Unmarshal(b, &f.doc); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	nodes := f.caseNodes()
	seen := map[string]int{}
	for i := range f.Cases {
		c := &f.Cases[i]
		c.Line = nodes[i].Line
		switch before, twice := seen[c.Name]; {
		case c.Name == "":
			return nil, fmt.Errorf("%s:%d: the case has no name", f.Name, c.Line)
		case twice:
			return nil, fmt.Errorf("%s:%d: case %q has the name of the one in line %d", f.Name, c.Line, c.Name, before)
		case c.Event.IsZero():
			return nil, fmt.Errorf("%s:%d: case %q has no event", f.Name, c.Line, c.Name)
		}
		seen[c.Name] = c.Line
	}
	return f, nil
}

// caseNodes are the nodes of the cases, in order.
func (f *File) caseNodes() []*yaml.Node {
	if cases := member(f.doc.Content[0], "cases"); cases != nil {
		return cases.Content
	}
	return nil
}

// member is the value of a key of a mapping; nil when it has none.
func member(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// try plays a case; its error is of the case itself.
func (f *File) try(topo *topology.Topology, c *Case) (*Trial, error) {
	ev, err := f.event(&c.Event, c.Name)
	if err != nil {
		return nil, err
	}
	entry, err := c.Given.entry(ev)
	if err != nil {
		return nil, err
	}
	cfg := Config{Topology: topo, Integration: f.Integration, Entry: entry, Personal: true}
	if c.Given.Parked != "" {
		cfg.Parked = []rules.Waiting{{ID: "parked", Reason: c.Given.Parked}}
	}
	now := time.Time{}
	cfg.Now = func() time.Time { return now }
	lane, err := New(cfg)
	if err != nil {
		return nil, err
	}
	for i := range c.Given.Before {
		before, err := f.event(&c.Given.Before[i], fmt.Sprintf("%s, before %d", c.Name, i+1))
		if err != nil {
			return nil, fmt.Errorf("given.before: %w", err)
		}
		now = before.Time
		lane.Try(Input{Event: before})
	}
	if now = c.Now; now.IsZero() {
		now = ev.Time
	}
	facts, err := c.Given.facts()
	if err != nil {
		return nil, err
	}
	t := lane.Try(Input{Event: ev, Facts: facts, Behind: c.Given.Behind, Attempted: c.Given.Attempted, Released: c.Given.Released})[0]
	return &t, nil
}

// event reads an event of the file; name decides its id where it names none.
func (f *File) event(n *yaml.Node, name string) (*schemas.Event, error) {
	v, err := toJSON(n)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	ev, err := parseEvent(b, Defaults{System: f.System, ID: name}, time.Unix(0, 0))
	if err != nil {
		return nil, fmt.Errorf("line %d: event: %w", n.Line, err)
	}
	return ev, nil
}

// facts are the facts that are given; nil for none.
func (g *Given) facts() (*topology.FactSet, error) {
	if g.Facts.IsZero() {
		return nil, nil
	}
	v, err := toJSON(&g.Facts)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(map[string]any{"id": "given", "usable": true, "facts": v})
	if err != nil {
		return nil, err
	}
	set, err := topology.ParseFactSet(b)
	if err != nil {
		return nil, fmt.Errorf("line %d: given.facts: %w", g.Facts.Line, err)
	}
	return set, nil
}

// entry is the ledger's entry that a Given tells.
func (g *Given) entry(ev *schemas.Event) (*schemas.LedgerEntry, error) {
	e := &schemas.LedgerEntry{Topic: ev.Type.Topic(), Key: ev.Subject, Settled: -1, Seen: g.Seen}
	for _, id := range g.Finished {
		e.Events = append(e.Events, schemas.FinishedEvent{ID: id, Kind: schemas.Delivered, At: ev.Time})
	}
	for _, name := range sortedKeys(g.Done) {
		e.Operations = append(e.Operations, schemas.Operation{Name: name, State: schemas.OpDone, EventID: "earlier", Version: g.Done[name], At: ev.Time})
	}
	if g.Total != "" {
		amount, currency, _ := strings.Cut(g.Total, " ")
		m, err := schemas.NewMoney(amount, currency)
		if err != nil {
			return nil, fmt.Errorf("given.total: %w (write 20.00 EUR)", err)
		}
		e.OrderTotal, e.TotalSystem, e.TotalTime = m, ev.System, ev.Time
	}
	if g.Refunds != nil {
		e.Refunds = g.Refunds
	}
	for _, field := range sortedKeys(g.Applied) {
		set := schemas.SetOf(field)
		if set == 0 {
			return nil, fmt.Errorf("given.applied: %s is no field of the model", field)
		}
		e.Applied = append(e.Applied, schemas.Applied{System: ev.System, Version: g.Applied[field], Time: ev.Time, Fields: set})
	}
	return e, nil
}

func sortedKeys[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
