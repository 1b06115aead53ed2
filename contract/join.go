package contract

import (
	"cmp"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Join is what several processes have seen of one subject, or one at several times: the union of what was seen, the greater of
// two counts, and of rules what all who have learned any agree on. The order does not matter, nor whether a part is joined
// twice. Bounded as one shape is.
func Join(a, b *schemas.Contract) *schemas.Contract {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	newer, older := a, b
	if c := cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Instance, a.Instance)); c > 0 {
		newer, older = b, a
	}
	out := *newer
	out.Team = cmp.Or(newer.Team, older.Team)
	out.Declared = max(a.Declared, b.Declared) // "", file, learned: whoever holds to a file says so
	if a.Declared == ByFile || b.Declared == ByFile {
		out.Declared = ByFile
	}
	out.Documents, out.Passed, out.Crowded = max(a.Documents, b.Documents), max(a.Passed, b.Passed), max(a.Crowded, b.Crowded)
	out.First, out.Last = earlier(a.First, b.First), later(a.Last, b.Last)
	out.Paths = joined(a.Paths, b.Paths, func(p schemas.ContractPath) string { return p.Path }, joinPath, maxPaths+1)
	out.Baseline = joinRules(a.Baseline, b.Baseline)
	out.Statuses = joined(a.Statuses, b.Statuses, func(s schemas.ContractStatus) int64 { return s.Status }, joinStatus, maxDrifts)
	out.Drifts = joined(a.Drifts, b.Drifts, func(d schemas.ContractDrift) string { k := keyOf(d); return k.Kind + "\x00" + k.Path + "\x00" + k.Seen }, joinDrift, 2*maxDrifts)
	return &out
}

// joined merges two lists by key, sorted by it; the first most keys stay.
func joined[T any, K cmp.Ordered](a, b []T, key func(T) K, join func(a, b T) T, most int) []T {
	all := slices.Concat(a, b)
	if all == nil {
		return nil
	}
	slices.SortStableFunc(all, func(x, y T) int { return cmp.Compare(key(x), key(y)) })
	out := all[:0]
	for _, v := range all {
		if n := len(out); n > 0 && key(out[n-1]) == key(v) {
			out[n-1] = join(out[n-1], v)
			continue
		}
		out = append(out, v)
	}
	return out[:min(len(out), most)]
}

func joinPath(a, b schemas.ContractPath) schemas.ContractPath {
	out := schemas.ContractPath{Path: a.Path, Types: (kindsOf(a.Types) | kindsOf(b.Types)).String(), Present: max(a.Present, b.Present), Absent: max(a.Absent, b.Absent),
		Open: a.Open || b.Open, First: earlier(a.First, b.First), Last: later(a.Last, b.Last)}
	if !out.Open {
		out.Values = union(a.Values, b.Values)
	}
	if len(out.Values) > maxWords {
		out.Values, out.Open = nil, true
	}
	return out
}

func joinStatus(a, b schemas.ContractStatus) schemas.ContractStatus {
	return schemas.ContractStatus{Status: a.Status, Declared: a.Declared && b.Declared, Count: max(a.Count, b.Count), First: earlier(a.First, b.First), Last: later(a.Last, b.Last)}
}

func joinDrift(a, b schemas.ContractDrift) schemas.ContractDrift {
	a.Seen = min(a.Seen, b.Seen)
	a.Count, a.Since, a.Last = max(a.Count, b.Count), earlier(a.Since, b.Since), later(a.Last, b.Last)
	return a
}

// joinRules keeps every path that either has learned, and requires of it what both require.
func joinRules(a, b []schemas.ContractRule) []schemas.ContractRule {
	if a == nil || b == nil {
		return slices.Concat(a, b)
	}
	in := func(list []schemas.ContractRule, path string) bool {
		return slices.ContainsFunc(list, func(r schemas.ContractRule) bool { return r.Path == path })
	}
	out := joined(a, b, func(r schemas.ContractRule) string { return r.Path }, func(a, b schemas.ContractRule) schemas.ContractRule {
		r := schemas.ContractRule{Path: a.Path, Required: a.Required && b.Required}
		if a.Types != "" && b.Types != "" {
			r.Types = (kindsOf(a.Types) | kindsOf(b.Types)).String()
		}
		if a.Values != nil && b.Values != nil {
			r.Values = union(a.Values, b.Values)
		}
		return r
	}, maxPaths+1)
	for i := range out {
		out[i].Required = out[i].Required && in(a, out[i].Path) && in(b, out[i].Path)
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
