package reconcile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Held is what a view holds of an order, to tell facts from.
type Held struct {
	Order    *Fold
	Customer *Fold     // of the customers topic; nil when nothing is known of the order's customer
	Stock    []*Fold   // of the inventory topic: items that the order's lines are of; others are passed by
	KnownAt  time.Time // our clock: up to then everything that came is known; zero when that never was so
	AskedAt  time.Time // our clock now
}

// FactsOf tells the facts of an order by a query, and whether they may be used. It does no I/O. The only error is
// ErrBadQuery.
func FactsOf(topo *topology.Topology, h Held, q FactsQuery) (*Facts, error) {
	r, err := rulesOf(topo, q)
	if err != nil {
		return nil, err
	}
	o := h.Order.Order(h.KnownAt)
	f := &Facts{Key: h.Order.key, For: q.For, Policy: r.told(), KnownAt: h.KnownAt.UTC(), AskedAt: h.AskedAt.UTC(), State: o.State, Verdict: o.Verdict, Facts: h.Order.Facts(h.KnownAt)}
	if h.Customer != nil {
		f.Facts = append(f.Facts, h.Customer.factsAs("", h.KnownAt)...)
	}
	skus := h.Order.skus()
	for _, item := range h.Stock {
		for _, sku := range item.names(refSKU) {
			if slices.Contains(skus, sku) {
				f.Facts = append(f.Facts, item.factsAs(sku, h.KnownAt)...)
			}
		}
	}
	for _, field := range r.demanded() {
		f.Facts = append(f.Facts, silent(topo, h, field, f.Facts)...)
	}
	f.decide(&r)
	return f, nil
}

// factsAs is the facts of another key than the order's, which they name.
func (f *Fold) factsAs(sku string, known time.Time) []Fact {
	out := f.Facts(known)
	for i := range out {
		out[i].Object, out[i].SKU = f.key, sku
	}
	return out
}

// names is the other names of a kind that the key's events give it.
func (f *Fold) names(kind string) []string {
	var out []string
	for _, r := range f.allRefs() {
		if r.kind == kind {
			out = append(out, r.value)
		}
	}
	return out
}

// silent is a fact without a value for a field that must be known and that nobody has spoken of; of stock, for each line of
// whose stock nobody has.
func silent(topo *topology.Topology, h Held, field schemas.Field, have []Fact) []Fact {
	owner, owned := topo.Ownership[field]
	if !owned {
		return nil
	}
	of := []Fact{{}}
	switch kind, _, _ := strings.Cut(string(field), "."); kind {
	case "inventory":
		of = nil
		for _, sku := range h.Order.skus() {
			of = append(of, Fact{SKU: sku})
		}
	case "customer":
		of[0].Object = h.Order.customer()
	}
	var out []Fact
	for _, f := range of {
		if slices.ContainsFunc(have, func(x Fact) bool { return x.Field == field && x.SKU == f.SKU }) {
			continue
		}
		f.Field, f.Owner, f.Ask, f.Masked, f.Silent, f.Agree = field, owner.At(h.AskedAt)[0], owner.Page, personal[field], true, AgreeUnknown
		out = append(out, f)
	}
	return out
}

// owners gives the events of the systems whose word counted for a field at the event's time, the newest first; of all systems
// where they are silent.
func (f *Fold) owners(field schemas.Field) []*fact {
	owner := f.topo.Ownership[field]
	var own, all []*fact
	for _, ev := range f.events {
		if all = append(all, ev); owner.At(ev.Time).Has(ev.System) {
			own = append(own, ev)
		}
	}
	if len(own) == 0 {
		own = all
	}
	slices.SortFunc(own, func(a, b *fact) int {
		switch {
		case older(b, a):
			return -1
		case older(a, b):
			return 1
		}
		return cmp.Or(b.at.compare(a.at), cmp.Compare(a.ID, b.ID))
	})
	return own
}

// customer is the id of the order's customer by the newest word of the system that owns order.email; empty when none is
// named.
func (f *Fold) customer() string {
	for _, ev := range f.owners("order.email") {
		for _, r := range ev.refs {
			if r.kind == "customer" {
				return r.value
			}
		}
	}
	return ""
}

// skus is what the order's lines are of, as the newest word of their owner lists them, sorted.
func (f *Fold) skus() []string {
	for _, ev := range f.owners("order.lines") {
		if !slices.ContainsFunc(ev.said, func(w word) bool { return w.field == "order.lines" }) {
			continue
		}
		var out []string
		for _, r := range ev.refs {
			if r.kind == refSKU {
				out = append(out, r.value)
			}
		}
		slices.Sort(out)
		return out
	}
	return nil
}
