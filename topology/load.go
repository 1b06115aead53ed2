package topology

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/schemas"
)

//go:embed *.yaml sources/*.yaml integrations/*.yaml
var defaults embed.FS

// Default is the topology that ships with Seam: a shop with its nine integrations.
func Default() fs.FS { return defaults }

// Fault is one thing that is wrong in one place of the files.
type Fault struct {
	File string
	Line int
	Text string // what is wrong and the mend
	// Check names the check that found it: the text before names and numbers are filled in.
	Check string
}

// Error is "file:line: text".
func (f *Fault) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text) }

// clusterFile is topics.yaml.
type clusterFile struct {
	Environment       string              `yaml:"environment"`
	Team              string              `yaml:"team"`
	Prefix            string              `yaml:"prefix"`
	Partitions        int32               `yaml:"partitions"`
	Replicas          int16               `yaml:"replicas"`
	MinInsyncReplicas int                 `yaml:"min_insync_replicas"`
	Retention         map[string]Duration `yaml:"retention"`
	// Configs are topic configs by topic name without the prefix, in Kafka's names and units, beside those that Seam sets.
	Configs map[string]map[string]string `yaml:"configs"`
	Learn   int                          `yaml:"learn"`
}

// Load reads topics.yaml, teams.yaml, ownership.yaml, sources/*.yaml, integrations/*.yaml and, where they are, operations.yaml
// money.yaml and contracts/*.yaml. lookup gives environment
// variables for ${NAME} and ${NAME:-default} in values. The error joins a *Fault for every fault of every file.
func Load(fsys fs.FS, lookup func(string) (string, bool)) (*Topology, error) {
	return only(load(&loader{fsys: fsys, lookup: lookup, written: map[string]place{}}))
}

// LoadForReading is Load for those who call nobody and need no address or secret: a variable that is not set and has no
// default stands for an address nobody has (RFC 6761).
func LoadForReading(fsys fs.FS, lookup func(string) (string, bool)) (*Topology, error) {
	return only(load(&loader{fsys: fsys, lookup: lookup, written: map[string]place{}, unset: Unset}))
}

func load(l *loader) (*Topology, []error) {
	t := &Topology{TimeScale: 1, Teams: map[string]Team{}, written: l.written}
	cluster := clusterFile{Partitions: 8, Replicas: -1, Environment: "development", Learn: 200}
	l.file("topics.yaml", &cluster)
	l.file("teams.yaml", &t.Teams)
	var owners ownershipFile
	l.file("ownership.yaml", &owners)
	t.Ownership = owners.ownership()
	for _, name := range l.list("sources") {
		s := Source{Mark: name + ":1"}
		l.file(name, &s)
		t.Sources = append(t.Sources, s)
	}
	for _, name := range l.list("integrations") {
		in := Integration{Mark: name + ":1"}
		l.file(name, &in)
		t.Integrations = append(t.Integrations, in)
	}
	l.operations(t)
	l.access(t)
	l.optional("waivers.yaml", &t.Waivers)
	t.Environment, t.Team, t.Prefix, t.Partitions, t.Learn = cluster.Environment, cluster.Team, cluster.Prefix, cluster.Partitions, cluster.Learn
	setDefaults(t)
	l.validate(t, cluster, owners.Unowned)
	l.validateOperations(t)
	l.validateAccess(t)
	l.environments(t)
	l.secretFiles(t)
	l.contracts(t)
	t.Topics = topicsOf(t, cluster)
	l.topicConfigFaults(t, cluster.Configs)
	l.hideSecrets()
	return t, l.faults
}

// patience is the least that Scale leaves of a call's timeout, and settling of the time in which its effect may come: a day can
// be compressed, a network cannot.
const (
	patience = Duration(300 * time.Millisecond)
	settling = Duration(2 * time.Second)
)

// Scale multiplies every duration of the topology by f, for demos and drills; rates are divided by it.
func (t *Topology) Scale(f float64) {
	t.TimeScale *= f
	scale := func(d *Duration) { *d = Duration(float64(*d) * f) }
	for i := range t.Sources {
		s := &t.Sources[i]
		scale(&s.Every)
		scale(&s.Overlap)
		scale(&s.SilentAfter)
		s.Volume.scale(f)
	}
	for i := range t.Integrations {
		in := &t.Integrations[i]
		for _, d := range []*Duration{&in.CompleteWithin, &in.StaleAfter, &in.ExpiresAfter, &in.Retry.Initial, &in.Retry.Max, &in.Retry.GiveUpAfter, &in.Breaker.Open} {
			scale(d)
		}
		for d, least := range map[*Duration]Duration{&in.Timeout: patience, &in.Idempotency.Settles: settling} {
			least = min(*d, least)
			scale(d)
			*d = max(*d, least)
		}
		in.Rate.Limit = PerSecond(float64(in.Rate.Limit) / f)
		in.Volume.scale(f)
		for j := range in.Rate.Slow {
			in.Rate.Slow[j].Limit = PerSecond(float64(in.Rate.Slow[j].Limit) / f)
		}
		for j := range in.Deliver {
			scale(&in.Deliver[j].NeedsWithin)
			in.Deliver[j].ReadBack.scale(scale)
		}
		in.Facts.scale(scale)
	}
	for _, op := range t.Operations {
		scaleAll(op.Done, f)
		scaleAll(op.Seen, f)
	}
	scale(&t.Money.AgreeWithin)
	for k, o := range t.Ownership {
		scale(&o.AgreeWithin)
		t.Ownership[k] = o
	}
}

// setDefaults fills what the files left out; types.go says the values.
func setDefaults(t *Topology) {
	for name, team := range t.Teams {
		team.Name = name
		t.Teams[name] = team
	}
	for i := range t.Sources {
		sourceDefaults(&t.Sources[i])
	}
	for i := range t.Integrations {
		integrationDefaults(&t.Integrations[i])
	}
}

func sourceDefaults(s *Source) {
	s.Secrets = slices.DeleteFunc(s.Secrets, func(x Secret) bool { return x == "" })
	or(&s.MaxBody, 1<<20)
	if s.Platform == Files {
		s.MaxBody = max(s.MaxBody, 64<<20)
	}
	platformDefaults(s)
	or(&s.Tolerance, Duration(5*time.Minute))
	or(&s.Every, Duration(time.Minute))
	or(&s.Overlap, Duration(5*time.Minute))
	if s.Wait != nil {
		or(&s.Wait.AtMost, Duration(5*time.Second))
		or(&s.Wait.Otherwise, Accepted)
	}
	for i := range s.Files {
		or(&s.Files[i].Zone, "UTC")
	}
}

func integrationDefaults(in *Integration) {
	or(&in.System, schemas.System(in.Name))
	or(&in.Timeout, Duration(5*time.Second))
	or(&in.Retry.Initial, Duration(200*time.Millisecond))
	or(&in.Retry.Max, Duration(2*time.Minute))
	or(&in.Retry.GiveUpAfter, Duration(2*time.Hour))
	or(&in.Retry.Budget, 20)
	or(&in.Breaker.Failures, 50)
	or(&in.Breaker.Of, 20)
	or(&in.Breaker.Open, Duration(30*time.Second))
	or(&in.InFlight, 64)
	or(&in.Order, "hold")
	or(&in.DedupWindow, Duration(35*24*time.Hour))
	or(&in.Objective, DefaultObjective)
	in.Facts.defaults(in.CompleteWithin)
	if in.Sign != nil {
		in.Sign.Secrets = slices.DeleteFunc(in.Sign.Secrets, func(x Secret) bool { return x == "" })
	}
	if in.Idempotency.Probe != "" {
		or(&in.Idempotency.Settles, 2*in.Timeout)
	}
	for i := range in.Deliver {
		r := &in.Deliver[i]
		r.Mark = in.Mark
		or(&r.Operation, r.step(in))
		or(&r.NeedsWithin, Duration(24*time.Hour))
		or(&r.OnRejected, "park")
		if len(r.Answers.Delivered) == 0 {
			r.Answers.Delivered = []int{200, 201, 202, 204}
		}
		if len(r.Answers.Rejected) == 0 {
			r.Answers.Rejected = []int{400, 404, 410, 413, 422}
		}
		r.Answers.Rejected = slices.DeleteFunc(slices.Clone(r.Answers.Rejected), func(c int) bool {
			return slices.Contains(r.Answers.Delivered, c) || slices.Contains(r.Answers.AlreadyDone, c)
		})
		if r.HTTP != nil {
			or(&r.HTTP.Method, "POST")
		}
		r.ReadBack.defaults()
	}
}

// defaultRetention of event topics is longer than the ledger remembers and any source retries.
const defaultRetention = 90 * 24 * time.Hour

// topicsOf is every topic the topology needs, in the order they are created.
func topicsOf(t *Topology, c clusterFile) []Topic {
	days := func(name string) map[string]string {
		d := c.Retention[name].D()
		if d == 0 {
			d = defaultRetention
		}
		return map[string]string{"cleanup.policy": "delete", "retention.ms": strconv.FormatInt(d.Milliseconds(), 10)}
	}
	add := func(out []Topic, name string, partitions int32, schema string, configs map[string]string) []Topic {
		if c.MinInsyncReplicas > 0 {
			configs["min.insync.replicas"] = strconv.Itoa(c.MinInsyncReplicas)
		}
		return append(out, Topic{name: name, Name: t.Prefix + name, Partitions: partitions, Replicas: c.Replicas, Configs: configs, Schema: schema})
	}
	var out []Topic
	out = add(out, schemas.TopicOrders, t.Partitions, "order_event", days(schemas.TopicOrders))
	out = add(out, schemas.TopicCustomers, t.Partitions, "customer_event", days(schemas.TopicCustomers))
	out = add(out, schemas.TopicInventory, t.Partitions, "inventory_event", days(schemas.TopicInventory))
	// Before the events that need them. What an erasure superseded goes once its segment is closed and the cleaner has passed.
	out = add(out, TopicKeys, 1, "sealing_key", map[string]string{"cleanup.policy": "compact", "segment.ms": "60000", "min.cleanable.dirty.ratio": "0.01"})
	out = add(out, TopicQuarantine, t.Partitions, "quarantined", days(TopicQuarantine))
	out = add(out, TopicReconciliation, t.Partitions, "outcome", days(TopicReconciliation))
	out = add(out, TopicCommands, t.Partitions, "command", days(TopicCommands))
	newest := days(TopicDisagreements)
	newest["cleanup.policy"] = "compact,delete"
	out = add(out, TopicDisagreements, t.Partitions, "disagreement", newest)
	// What processes that are gone have seen stays for the readers; who starts takes it over and publishes it as its own.
	shapes := days(TopicContracts)
	shapes["cleanup.policy"], shapes["max.message.bytes"] = "compact,delete", "4194304"
	out = add(out, TopicContracts, 1, "contract", shapes)
	out = add(out, TopicStatus, 1, "worker_status", map[string]string{"cleanup.policy": "compact"})
	for _, in := range t.Integrations {
		window := strconv.FormatInt(in.DedupWindow.D().Milliseconds(), 10)
		out = add(out, "ledger."+in.Name, t.Partitions, "ledger_entry", map[string]string{"cleanup.policy": "compact,delete", "retention.ms": window})
		// A parked record holds a whole record of another topic, its headers and the answers: it must fit where that did.
		out = add(out, "parked."+in.Name, t.Partitions, "parked_record", map[string]string{"cleanup.policy": "compact", "max.message.bytes": "4194304"})
	}
	return add(out, TopicTopology, 1, "", map[string]string{"cleanup.policy": "compact"})
}

// loader reads files and collects faults.
type loader struct {
	fsys    fs.FS
	lookup  func(string) (string, bool)
	written map[string]place // by "file#dotted.key"
	values  map[string]Value // by "file#dotted.key", see Values
	origins map[*yaml.Node][]string
	secrets []string // values of variables that say by their name that they are secret
	unset   string   // stands for unset variables without a default; empty makes them faults
	faults  []error
	opened  map[spot]bool // lines with a value that nobody has decided
}

var unknownKey = regexp.MustCompile(`^field (\S+) not found in type \S+\.(\S+)$`)

// file decodes one file strictly into v.
func (l *loader) file(name string, v any) {
	b, err := fs.ReadFile(l.fsys, name)
	if err != nil {
		l.fault(name, 1, "cannot be read: %v", err)
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		l.yamlFaults(name, err)
		return
	}
	if doc.Kind == 0 {
		l.fault(name, 1, "is empty")
		return
	}
	l.index(name, "", &doc)
	l.openQuestions(name, "the file", &doc, "")
	l.expand(name, &doc)
	l.keep(name, "", &doc)
	// Node.Decode has no strict mode, so keys are checked by a strict decode of the text and values, with their
	// variables expanded, are taken from the nodes.
	dec := yaml.NewDecoder(strings.NewReader(string(b)))
	dec.KnownFields(true)
	var typeErr *yaml.TypeError
	strict := newOf(v)
	if err := dec.Decode(strict); errors.As(err, &typeErr) {
		for _, text := range typeErr.Errors {
			if strings.Contains(text, "not found in type") || strings.Contains(text, "already defined") {
				l.yamlFault(name, text, "")
			}
		}
	}
	if err := doc.Decode(v); err != nil {
		l.yamlFaults(name, err)
	}
}

func (l *loader) yamlFaults(name string, err error) {
	var typeErr *yaml.TypeError
	if !errors.As(err, &typeErr) {
		l.yamlFault(name, strings.TrimPrefix(err.Error(), "yaml: "), "is no YAML")
		return
	}
	for _, text := range typeErr.Errors {
		l.yamlFault(name, text, "")
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// expand replaces ${NAME} and ${NAME:-default} in every value below n.
func (l *loader) expand(name string, n *yaml.Node) {
	for i, c := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			l.expand(name, c)
		}
	}
	if n.Kind != yaml.ScalarNode || !strings.Contains(n.Value, "${") {
		return
	}
	l.origin(name, n)
	n.Value = variable.ReplaceAllStringFunc(n.Value, func(match string) string {
		m := variable.FindStringSubmatch(match)
		if v, ok := l.lookup(m[1]); ok && v != "" {
			return v
		}
		if m[2] == "" && l.unset != "" {
			return l.unset
		}
		if m[2] == "" {
			l.fault(name, n.Line, "variable %s is not set: set it, or write ${%s:-default}", m[1], m[1])
		}
		return m[3]
	})
	if n.Style == 0 && n.Tag == "!!str" && n.Value == "" {
		n.Style = yaml.DoubleQuotedStyle
	}
}
