package topology

import (
	"cmp"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// ACL is one thing that a principal may do.
type ACL struct {
	Principal string
	Host      string
	Operation string // Kafka's word: READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS
	Resource  string // topic, group or transactional_id
	Name      string
	Prefixed  bool // every name that begins with Name
}

// String is what is allowed, without who: "READ topic orders", "WRITE transactional_id seam.erp/*".
func (a ACL) String() string {
	s := a.Operation + " " + a.Resource + " " + a.Name
	if a.Prefixed {
		s += "*"
	}
	if a.Host != "*" {
		s += " from " + a.Host
	}
	return s
}

// ACLs are the least that each principal of the files needs, sorted. The topic `keys` is what opens personal data: edge, workers
// and the reconciler seal and open with it, other teams and operators do not have it.
func (t *Topology) ACLs() []ACL {
	set := map[ACL]bool{}
	if t.Access != nil {
		b := acls{t: t, host: t.Access.Host, set: set}
		b.edge(t.principalOf("edge"))
		b.reconcile(t.principalOf("reconcile"))
		b.people(t.principalOf("operators"), false)
		b.people(t.principalOf("privacy"), true)
		for i := range t.Integrations {
			b.worker(t.principalOf(t.Integrations[i].Name), &t.Integrations[i])
		}
	}
	for i := range t.Subscribers {
		s := &t.Subscribers[i]
		b := acls{t: t, host: "*", set: set}
		b.topics(s.Principal, s.Reads, "READ")
		b.add(ACL{Principal: s.Principal, Operation: "READ", Resource: "group", Name: s.Group})
		if s.Personal != "" {
			b.topics(s.Principal, []string{TopicKeys}, "READ")
		}
	}
	out := make([]ACL, 0, len(set))
	for a := range set {
		out = append(out, a)
	}
	slices.SortFunc(out, compareACLs)
	return out
}

func compareACLs(a, b ACL) int {
	return cmp.Or(strings.Compare(a.Principal, b.Principal), strings.Compare(a.Resource, b.Resource), strings.Compare(a.Name, b.Name), strings.Compare(a.Operation, b.Operation), strings.Compare(a.Host, b.Host))
}

// acls gathers what principals need.
type acls struct {
	t    *Topology
	host string
	set  map[ACL]bool
}

// add takes one in; nobody needs nothing.
func (b acls) add(a ACL) {
	if a.Principal != "" {
		a.Host = b.host
		b.set[a] = true
	}
}

func (b acls) topics(who string, names []string, operations ...string) {
	for _, name := range names {
		for _, op := range operations {
			b.add(ACL{Principal: who, Operation: op, Resource: "topic", Name: b.t.TopicName(name)})
		}
	}
}

// metadata is what every process asks before it starts: whether the cluster is as the files say, whose it is, and what sources and
// answers looked like until now.
func (b acls) metadata(who string) {
	b.topics(who, []string{TopicTopology, TopicContracts}, "READ")
	for _, op := range []string{"DESCRIBE", "DESCRIBE_CONFIGS"} {
		if b.t.Prefix != "" {
			b.add(ACL{Principal: who, Operation: op, Resource: "topic", Name: b.t.Prefix, Prefixed: true})
			continue
		}
		for _, topic := range b.t.Topics {
			b.add(ACL{Principal: who, Operation: op, Resource: "topic", Name: topic.Name})
		}
	}
}

func (b acls) transactions(who, prefix string) {
	for _, op := range []string{"WRITE", "DESCRIBE"} { // Describe: whoever takes over asks what a dead one left open
		b.add(ACL{Principal: who, Operation: op, Resource: "transactional_id", Name: prefix, Prefixed: true})
	}
}

var eventTopics = []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory}

// edge writes events and quarantine, and seals them.
func (b acls) edge(who string) {
	b.metadata(who)
	b.topics(who, append(slices.Clone(eventTopics), TopicQuarantine, TopicContracts), "WRITE")
	b.topics(who, []string{TopicKeys}, "READ", "WRITE")
	if slices.ContainsFunc(b.t.Sources, func(s Source) bool { return s.Wait != nil }) {
		b.topics(who, []string{TopicReconciliation}, "READ") // callers wait for outcomes
	}
}

// worker reads its topics in its group, and writes its state and outcomes in its transactions.
func (b acls) worker(who string, in *Integration) {
	b.metadata(who)
	for _, topic := range b.t.InputTopics(in) {
		b.add(ACL{Principal: who, Operation: "READ", Resource: "topic", Name: topic})
	}
	b.topics(who, []string{TopicCommands}, "READ")
	b.topics(who, []string{"ledger." + in.Name, "parked." + in.Name, TopicKeys}, "READ", "WRITE")
	b.topics(who, []string{TopicReconciliation, TopicStatus, TopicContracts}, "WRITE")
	b.add(ACL{Principal: who, Operation: "READ", Resource: "group", Name: b.t.Group(in.Name)})
	b.transactions(who, b.t.Group(in.Name)+"/")
	if in.ReadsBack() { // and tells what it read as an event
		b.topics(who, []string{TopicReconciliation}, "READ")
		b.topics(who, []string{schemas.TopicOrders}, "WRITE")
		b.add(ACL{Principal: who, Operation: "READ", Resource: "group", Name: b.t.ReadBackGroup(in.Name)})
	}
}

// reconcile reads what happened, tells of disagreements, erases, and watches how far groups are behind.
func (b acls) reconcile(who string) {
	b.metadata(who)
	b.topics(who, append(slices.Clone(eventTopics), TopicReconciliation, TopicCommands, TopicQuarantine, TopicStatus), "READ")
	b.topics(who, []string{TopicDisagreements, TopicKeys}, "READ", "WRITE")
	b.transactions(who, b.t.TopicName(TopicKeys)+".eraser")
	for _, g := range b.t.Groups() { // how far they are behind
		b.add(ACL{Principal: who, Operation: "DESCRIBE", Resource: "group", Name: g.Group})
	}
}

// people look, and decide through commands. personal lets them open what is sealed, ask for erasures and put back what was
// quarantined.
func (b acls) people(who string, personal bool) {
	b.metadata(who)
	b.topics(who, append(slices.Clone(eventTopics), TopicReconciliation, TopicDisagreements, TopicQuarantine, TopicStatus), "READ")
	b.topics(who, []string{TopicCommands}, "READ", "WRITE")
	for i := range b.t.Integrations {
		name := b.t.Integrations[i].Name
		b.topics(who, []string{"ledger." + name, "parked." + name}, "READ")
		b.add(ACL{Principal: who, Operation: "DESCRIBE", Resource: "group", Name: b.t.Group(name)})
		if b.t.Integrations[i].ReadsBack() {
			b.add(ACL{Principal: who, Operation: "DESCRIBE", Resource: "group", Name: b.t.ReadBackGroup(name)})
		}
	}
	if personal {
		b.topics(who, append(slices.Clone(eventTopics), TopicQuarantine), "WRITE")
		b.topics(who, []string{TopicKeys}, "READ", "WRITE")
	}
}

// ours tells whether an ACL of the cluster is Seam's to take away: of a principal that our files name or an applied plan of ours
// once named, and for a resource of ours.
func (t *Topology) ours(a ACL, principals []string) bool {
	if !slices.Contains(principals, a.Principal) {
		return false
	}
	switch a.Resource {
	case "topic":
		return t.Prefix != "" && strings.HasPrefix(a.Name, t.Prefix) || slices.ContainsFunc(t.Topics, func(x Topic) bool { return x.Name == a.Name }) || t.state(a.Name)
	case "group":
		return strings.HasPrefix(a.Name, t.Prefix+"seam.") || slices.ContainsFunc(t.Subscribers, func(s Subscriber) bool { return s.Group == a.Name })
	case "transactional_id":
		return strings.HasPrefix(a.Name, t.Prefix+"seam.") || a.Name == t.TopicName(TopicKeys)+".eraser"
	}
	return false
}

// state tells whether a topic is called as those of an integration are, be it one that the files do not know any more.
func (t *Topology) state(topic string) bool {
	return strings.HasPrefix(topic, t.Prefix+"ledger.") || strings.HasPrefix(topic, t.Prefix+"parked.")
}
