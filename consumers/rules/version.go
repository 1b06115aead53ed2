package rules

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// CompareVersions orders two source versions: -1, 0 or 1; ok is false where they cannot be compared, and then neither is
// older. Whole or decimal numbers compare as numbers, RFC 3339 texts as times.
func CompareVersions(a, b string) (cmp int, ok bool) {
	if a == "" || b == "" {
		return 0, false
	}
	if ta, err := time.Parse(time.RFC3339Nano, a); err == nil {
		tb, err := time.Parse(time.RFC3339Nano, b)
		return ta.Compare(tb), err == nil
	}
	da, errA := decimal.NewFromString(a)
	db, errB := decimal.NewFromString(b)
	if errA != nil || errB != nil {
		return 0, false
	}
	return da.Cmp(db), true
}

// stateful tells whether events of the type carry a whole state of their subject, so that an older one is worthless after a
// newer. A refund or a shipment is a fact of its own and never is.
func stateful(et schemas.EventType) bool {
	switch et {
	case schemas.OrderCreated, schemas.OrderUpdated, schemas.OrderCancelled, schemas.CustomerRegistered, schemas.CustomerUpdated, schemas.InventoryLevelSet:
		return true
	default:
		return false
	}
}

// cut parses Money.String.
func cut(text string) (decimal.Decimal, string, bool) {
	amount, currency, _ := strings.Cut(text, " ")
	d, err := decimal.NewFromString(amount)
	return d, currency, err == nil
}
