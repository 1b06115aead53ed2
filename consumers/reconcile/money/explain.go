package money

import (
	"slices"

	"github.com/shopspring/decimal"
)

// explain says which movements make two sides differ: those of one thing whose amounts differ, and those that one side
// alone has. Things are told by the ids that both know; what no id links is taken for the same where the amounts are.
// What an order owes is no thing that others have too: it, bounds, and sides that are sums of two kinds are explained by
// all their movements.
func explain(a, b account, c Comparison, tolerance decimal.Decimal) []Part {
	if c.AtMost || c.A.Plus == Charged || len(a.minus)+len(b.minus) > 0 {
		return []Part{{A: slices.Concat(a.plus, a.minus), B: slices.Concat(b.plus, b.minus), Difference: a.sum.Sub(b.sum)}}
	}
	var out, alone []Part
	for _, p := range linked(a.plus, b.plus) {
		switch {
		case p.Difference.IsZero():
		case len(p.A) == 0 || len(p.B) == 0:
			alone = append(alone, p)
		case !within(p.Difference, false, tolerance):
			out = append(out, p)
		}
	}
	alone = unpaired(alone)
	if len(alone) == 2 && (len(alone[0].A) == 0) != (len(alone[1].A) == 0) { // one left on each side: they are of each other
		alone = []Part{alone[0].join(alone[1])}
	}
	return append(out, alone...)
}

// linked puts together the movements that share an id, directly or through others.
func linked(a, b []Movement) []Part {
	var parts []Part
	var ids [][]string
	add := func(p Part, names []string) {
		var keptParts []Part
		var keptIDs [][]string
		for i := range parts {
			if slices.ContainsFunc(ids[i], func(id string) bool { return slices.Contains(names, id) }) {
				p, names = parts[i].join(p), slices.Concat(ids[i], names)
				continue
			}
			keptParts, keptIDs = append(keptParts, parts[i]), append(keptIDs, ids[i])
		}
		parts, ids = append(keptParts, p), append(keptIDs, names)
	}
	for _, m := range a {
		add(Part{A: []Movement{m}, Difference: m.Amount}, m.names())
	}
	for _, m := range b {
		add(Part{B: []Movement{m}, Difference: m.Amount.Neg()}, m.names())
	}
	return parts
}

func (p Part) join(q Part) Part {
	return Part{A: slices.Concat(p.A, q.A), B: slices.Concat(p.B, q.B), Difference: p.Difference.Add(q.Difference)}
}

// unpaired takes out pairs of one side's part and the other's that are of the same amount.
func unpaired(parts []Part) []Part {
	var out []Part
	for _, p := range parts {
		i := slices.IndexFunc(out, func(q Part) bool {
			return (len(p.A) == 0) != (len(q.A) == 0) && p.Difference.Add(q.Difference).IsZero()
		})
		if i >= 0 {
			out = slices.Delete(out, i, i+1)
			continue
		}
		out = append(out, p)
	}
	return out
}
