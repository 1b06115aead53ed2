package rules

import (
	"strings"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// Newer is the newer of two source versions; b where they cannot be compared, and a where b is empty.
func Newer(a, b string) string {
	if cmp, ok := schemas.CompareVersions(a, b); b == "" || ok && cmp > 0 {
		return a
	}
	return b
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

// onlyFields tells whether events of the type are nothing but what they say of fields: without any they are pointless. Others
// are facts even so.
func onlyFields(et schemas.EventType) bool {
	return stateful(et) || et == schemas.OrderEnriched || et.Corrects()
}

// cut parses Money.String.
func cut(text string) (decimal.Decimal, string, bool) {
	amount, currency, _ := strings.Cut(text, " ")
	d, err := decimal.NewFromString(amount)
	return d, currency, err == nil
}
