package topology

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// Access says who may do what in Kafka: access.yaml, which may be missing; then access is somebody else's to give.
type Access struct {
	// Principals run the roles; one may run several. A role that is not named gets no access from Seam.
	Principals Principals `yaml:"principals"`
	// Host is from where they come, as an ACL writes it. Default "*".
	Host string `yaml:"host"`
	// Quotas limit principals, by role (edge, reconcile, operators, privacy, or an integration's name). A rate that is not
	// named is left as it is.
	Quotas map[string]Quota `yaml:"quotas"`
}

// Principals are Kafka's names of who runs what: "User:seam-edge".
type Principals struct {
	Edge      string `yaml:"edge"`
	Reconcile string `yaml:"reconcile"`
	// Operators look at everything but personal data, and decide what waits.
	Operators string `yaml:"operators"`
	// Privacy may read personal data and erase it, beside what operators may.
	Privacy string `yaml:"privacy"`
	// Integrations run workers, by the integration's name; "*" runs those that are not named.
	Integrations map[string]string `yaml:"integrations"`
}

// Quota is what a principal may use of each broker; zero is not managed by Seam.
type Quota struct {
	ProducerByteRate Bytes `yaml:"producer_byte_rate"` // a second: "10MiB"
	ConsumerByteRate Bytes `yaml:"consumer_byte_rate"` // a second
	// RequestPercentage is of the time of one broker thread: 200 is two of them.
	RequestPercentage float64 `yaml:"request_percentage"`
}

// values are Kafka's names and units.
func (q Quota) values() map[string]float64 {
	out := map[string]float64{}
	for k, v := range map[string]float64{"producer_byte_rate": float64(q.ProducerByteRate), "consumer_byte_rate": float64(q.ConsumerByteRate), "request_percentage": q.RequestPercentage} {
		if v > 0 {
			out[k] = v
		}
	}
	return out
}

// Subscriber is another team that reads our topics in a group of its own: subscribers/<team>.yaml.
type Subscriber struct {
	Team  string   `yaml:"team"`  // of teams.yaml, which says who is paged; the file is called after it
	Reads []string `yaml:"reads"` // of Subscribable, without the prefix
	Group string   `yaml:"group"` // of the team's own; the prefix is not put before it
	// Principal is who reads. Default none: then access is somebody else's to give.
	Principal string `yaml:"principal"`
	// Personal gives the key of personal data too: why the team needs it. Empty: it reads everything else.
	Personal     string   `yaml:"personal"`
	Quota        Quota    `yaml:"quota"`
	LagObjective Duration `yaml:"lag_objective"` // how far behind the team may be before it is told
	Mark         string   `yaml:"-"`
}

// Subscribable are the topics that other teams may read, without the prefix; all others are Seam's own state.
var Subscribable = []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory, TopicReconciliation, TopicDisagreements}

// access reads access.yaml and subscribers/, both of which may be missing.
func (l *loader) access(t *Topology) {
	if _, err := fs.Stat(l.fsys, "access.yaml"); err == nil {
		t.Access = &Access{Host: "*"}
		l.file("access.yaml", t.Access)
	}
	for _, name := range l.list("subscribers") {
		s := Subscriber{Mark: name + ":1"}
		l.file(name, &s)
		t.Subscribers = append(t.Subscribers, s)
	}
}

// validateAccess checks both.
func (l *loader) validateAccess(t *Topology) {
	if t.Access != nil {
		p := t.Access.Principals
		for _, role := range sortedKeys(p.named()) {
			l.principal("access.yaml", "principals."+role, p.named()[role])
		}
		for _, name := range sortedKeys(p.Integrations) {
			l.principal("access.yaml", "principals.integrations."+name, p.Integrations[name])
			if name != "*" && t.Integration(name) == nil {
				l.at("access.yaml", "principals.integrations."+name, "there is no integration %q", name)
			}
		}
		for _, role := range sortedKeys(t.Access.Quotas) {
			if t.principalOf(role) == "" {
				l.at("access.yaml", "quotas."+role, "quota of %q, which has no principal: name it under principals", role)
			}
		}
	}
	groups := map[string]string{}
	for i := range t.Subscribers {
		l.subscriber(t, &t.Subscribers[i], groups)
	}
}

func (l *loader) subscriber(t *Topology, s *Subscriber, groups map[string]string) {
	file := strings.TrimSuffix(s.Mark, ":1")
	l.team(t, file, s.Team)
	if want := strings.TrimSuffix(path.Base(file), ".yaml"); s.Team != want {
		l.at(file, "team", "team is %q: write %q, as the file is called", s.Team, want)
	}
	if len(s.Reads) == 0 {
		l.at(file, "reads", "reads is missing: which of %s does the team read?", join(Subscribable))
	}
	for i, topic := range s.Reads {
		if !slices.Contains(Subscribable, topic) {
			l.at(file, fmt.Sprintf("reads.%d", i), "topic %q is not for other teams: these are %s", topic, join(Subscribable))
		}
	}
	switch {
	case s.Group == "":
		l.at(file, "group", "group is missing: in which consumer group does the team read?")
	case strings.HasPrefix(s.Group, t.Prefix+"seam."):
		l.at(file, "group", "group %q is Seam's own: the team would take an integration's partitions", s.Group)
	case groups[s.Group] != "":
		l.at(file, "group", "group %q is %s's too: each would read half", s.Group, groups[s.Group])
	}
	groups[s.Group] = s.Team
	if s.LagObjective == 0 {
		l.at(file, "lag_objective", "lag_objective is missing: how far behind may the team be before it is told?")
	}
	if s.Principal != "" {
		l.principal(file, "principal", s.Principal)
	} else if len(s.Quota.values()) > 0 || s.Personal != "" {
		l.at(file, "principal", "a quota or personal needs a principal: who reads?")
	}
}

func (l *loader) principal(file, key, p string) {
	if kind, name, ok := strings.Cut(p, ":"); !ok || kind == "" || name == "" {
		l.at(file, key, "principal %q: write it as Kafka does, User:name", p)
	} else if name == "*" || strings.EqualFold(name, "anonymous") {
		l.at(file, key, "principal %q is everybody: name who runs this", p)
	}
}

// named are the roles with one principal each.
func (p Principals) named() map[string]string {
	out := map[string]string{"edge": p.Edge, "reconcile": p.Reconcile, "operators": p.Operators, "privacy": p.Privacy}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out
}

// principalOf is who runs a role or integration; empty when nobody is named.
func (t *Topology) principalOf(role string) string {
	if t.Access == nil {
		return ""
	}
	if p := t.Access.Principals.named()[role]; p != "" {
		return p
	}
	p := t.Access.Principals.Integrations
	if p[role] != "" || t.Integration(role) == nil {
		return p[role]
	}
	return p["*"]
}

// PrincipalNames lists every principal that the files name, sorted.
func (t *Topology) PrincipalNames() []string {
	all := map[string]bool{}
	if t.Access != nil {
		for _, p := range t.Access.Principals.named() {
			all[p] = true
		}
		for _, p := range t.Access.Principals.Integrations {
			all[p] = true
		}
	}
	for _, s := range t.Subscribers {
		if s.Principal != "" {
			all[s.Principal] = true
		}
	}
	return sortedKeys(all)
}

// Quotas are what the files want, by principal and Kafka's name.
func (t *Topology) Quotas() map[string]map[string]float64 {
	out := map[string]map[string]float64{}
	put := func(p string, q Quota) {
		if p == "" {
			return
		}
		for k, v := range q.values() {
			if out[p] == nil {
				out[p] = map[string]float64{}
			}
			out[p][k] += v // one principal that runs two roles has the sum
		}
	}
	if t.Access != nil {
		for _, role := range sortedKeys(t.Access.Quotas) {
			put(t.principalOf(role), t.Access.Quotas[role])
		}
	}
	for _, s := range t.Subscribers {
		put(s.Principal, s.Quota)
	}
	return out
}
