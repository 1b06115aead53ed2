package money

import (
	"cmp"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// versionLayouts are the texts of time that sources order their states by; those without a zone are one source's own, so
// that they compare among themselves.
var versionLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime}

// instant is the time that a movement's state is of: that of its version where it is one, else when the source said it.
func (m *Movement) instant() time.Time {
	for _, layout := range versionLayouts {
		if at, err := time.Parse(layout, strings.TrimSpace(m.Version)); err == nil {
			return at
		}
	}
	return m.SaidAt
}

// compareAge orders two words on one object: the newer is the greater. Both have numbers for versions, or neither.
func compareAge(a, b *Movement) int {
	if na, ok := schemas.VersionNumber(a.Version); ok {
		nb, _ := schemas.VersionNumber(b.Version)
		return cmp.Or(na.Cmp(nb), compareSaid(a, b))
	}
	return cmp.Or(a.instant().Compare(b.instant()), compareSaid(a, b))
}

// compareSaid orders by when the source said so. At one moment a failure follows a success and the larger amount the
// smaller, as sums grow; what is left only makes the order total.
func compareSaid(a, b *Movement) int {
	return cmp.Or(a.SaidAt.Compare(b.SaidAt), compareBool(a.Withdrawn, b.Withdrawn), a.Amount.Cmp(b.Amount), cmp.Compare(a.Currency, b.Currency),
		cmp.Compare(a.EventID, b.EventID), a.At.Compare(b.At), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Reference, b.Reference),
		cmp.Compare(a.Payment, b.Payment), cmp.Compare(a.Whole, b.Whole))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
