package topology

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// Operation is a business step of an order that several systems complete: an entry of operations.yaml.
type Operation struct {
	Name string `yaml:"-"`
	// Begins are the types that begin it; the first of them by our clock counts.
	Begins []schemas.EventType `yaml:"begins"`
	// Void ends it without more: nothing is waited for once one of these was seen. RefundFull is a refund of all that was taken.
	Void []schemas.EventType `yaml:"void"`
	// Done is within how long an integration's call must have succeeded: by integration, for its own operation, or by
	// integration/operation.
	Done map[string]Duration `yaml:"done"`
	// Seen is within how long an event of a type must have come, whoever says it.
	Seen map[schemas.EventType]Duration `yaml:"seen"`
	Page string                         `yaml:"page"` // team
}

// Money says how amounts are compared: money.yaml.
type Money struct {
	Zone string `yaml:"zone"` // IANA, of the business day. Default UTC
	// Tolerance is the greatest difference that is agreement, in major units of the currency. Default 0.
	Tolerance string `yaml:"tolerance"`
	// TotalsStay tells that the shop's order total does not shrink when money is given back.
	TotalsStay bool `yaml:"totals_stay"`
	// Expected names, by system, kinds of money whose silence is a difference. Of all others it is not.
	Expected    map[schemas.System][]string `yaml:"expected"`
	AgreeWithin Duration                    `yaml:"agree_within"` // default 24h
	Page        string                      `yaml:"page"`         // team
}

// MoneyKinds is what Money.Expected may name; package money says what each is.
var MoneyKinds = []string{"charged", "authorized", "captured", "refunded", "disputed", "invoiced", "credited", "shipped"}

// Location is the zone of the business day.
func (m Money) Location() *time.Location {
	loc, err := time.LoadLocation(m.Zone) // Load refuses one that is unknown
	if err != nil {
		return time.UTC
	}
	return loc
}

// DoneBy splits a key of Operation.Done; the operation is the integration's own where none is named.
func (t *Topology) DoneBy(key string) (in *Integration, operation string) {
	name, operation, named := strings.Cut(key, "/")
	if in = t.Integration(name); in != nil && !named {
		operation = in.Operation
	}
	return in, operation
}

// operations reads operations.yaml and money.yaml, both of which may be missing.
func (l *loader) operations(t *Topology) {
	byName := map[string]Operation{}
	l.optional("operations.yaml", &byName)
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		op := byName[name]
		op.Name = name
		t.Operations = append(t.Operations, op)
	}
	t.Money = Money{Zone: "UTC", Tolerance: "0", AgreeWithin: Duration(24 * time.Hour)}
	l.optional("money.yaml", &t.Money)
}

// optional reads a file that need not be there.
func (l *loader) optional(name string, into any) {
	if _, err := fs.Stat(l.fsys, name); err == nil {
		l.file(name, into)
	}
}

// validateOperations tells what operations.yaml and money.yaml ask that cannot come true.
func (l *loader) validateOperations(t *Topology) {
	for i := range t.Operations {
		l.operation(t, &t.Operations[i])
	}
	const file = "money.yaml"
	m := &t.Money
	if _, err := time.LoadLocation(m.Zone); err != nil || m.Zone == "Local" {
		l.at(file, "zone", "zone %q is unknown: an IANA name, such as Europe/Vienna", m.Zone)
	}
	if d, err := decimal.NewFromString(m.Tolerance); err != nil || d.IsNegative() {
		l.at(file, "tolerance", "tolerance %q is no amount: for example \"0.01\"", m.Tolerance)
	}
	if m.AgreeWithin <= 0 {
		l.at(file, "agree_within", "agree_within must be more than 0: how long systems may differ")
	}
	for system, kinds := range m.Expected {
		for _, k := range kinds {
			if !slices.Contains(MoneyKinds, k) {
				l.at(file, "expected."+string(system), "%q is no kind of money: the kinds are %s", k, strings.Join(MoneyKinds, ", "))
			}
		}
	}
	if _, known := t.Teams[m.Page]; m.Page != "" && !known {
		l.at(file, "page", "page is %q: name a team of teams.yaml", m.Page)
	}
}

func (l *loader) operation(t *Topology, op *Operation) {
	const file = "operations.yaml"
	if len(op.Begins) == 0 {
		l.at(file, op.Name, "begins is missing: the event types that begin %s", op.Name)
	}
	if len(op.Done)+len(op.Seen) == 0 {
		l.at(file, op.Name, "nothing is to come true: name integrations under done, or event types under seen")
	}
	l.eventTypes(file, op.Name+".begins", op.Begins)
	if slices.Contains(op.Begins, RefundFull) {
		l.at(file, op.Name+".begins", "%s begins nothing: it is for void", RefundFull)
	}
	l.eventTypes(file, op.Name+".seen", slices.Sorted(maps.Keys(op.Seen)))
	l.eventTypes(file, op.Name+".void", slices.DeleteFunc(slices.Clone(op.Void), func(et schemas.EventType) bool { return et == RefundFull }))
	for key, within := range op.Done {
		switch in, operation := t.DoneBy(key); {
		case in == nil:
			l.at(file, op.Name+".done."+key, "there is no integration %q", key)
		case !slices.ContainsFunc(in.Deliver, func(r Route) bool { return r.Operation == operation }):
			l.at(file, op.Name+".done."+key, "no route of %s has the operation %q", in.Name, operation)
		case within <= 0:
			l.at(file, op.Name+".done."+key, "within how long? For example %s: 1h", key)
		}
	}
	for et, within := range op.Seen {
		if within <= 0 {
			l.at(file, op.Name+".seen."+string(et), "within how long? For example %s: 4h", et)
		}
	}
	if _, known := t.Teams[op.Page]; !known {
		l.at(file, op.Name+".page", "page is %q: name a team of teams.yaml", op.Page)
	}
}

func scaleAll[K comparable](within map[K]Duration, f float64) {
	for k, d := range within {
		within[k] = Duration(float64(d) * f)
	}
}
