package drills

import (
	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/schemas"
)

// due is what a system should have done for an order (customer in the CRM): operation to range.
type due map[string]span

// span is how often something should have happened: from least to most.
type span struct{ least, most int }

func exactly(n int) span { return span{n, n} }

// truth is what every downstream should have done: system, order or customer, operation.
type truth map[string]map[string]due

// integrationOf is the integration that feeds a system, where it is not called the same.
func integrationOf(system string) string {
	if system == "finance" {
		return "export"
	}
	return system
}

// truthOf computes it from what the shop did, and from nothing that Seam says. The warehouse is the one place where the
// moment decides: an order that was cancelled or fully refunded after it was paid may or may not have been packed before.
func truthOf(orders []sim.Order, customers []sim.Customer) truth {
	t := truth{}
	for _, s := range []string{"warehouse", "erp", "crm", "tax", "fraud", "analytics", "support", "enrichment", "finance"} {
		t[s] = map[string]due{}
	}
	for _, o := range orders {
		id, paid, cancelled, stopped := o.ID, 0, 0, false
		if o.PaidID != "" {
			paid = 1
		}
		if o.Status == "cancelled" {
			cancelled, stopped = 1, true
		}
		t["erp"][id] = due{"order": exactly(1)}
		t["tax"][id] = due{"transaction": exactly(1)}
		for _, r := range o.Refunds {
			stopped = stopped || r.Full
			t["erp"][id]["refund/"+r.ID], t["tax"][id]["refund/"+r.ID] = exactly(1), exactly(1)
		}
		t["fraud"][id], t["enrichment"][id] = due{"assess": exactly(1)}, due{"enrich": exactly(1)}
		t["support"][id] = due{string(schemas.RefundSucceeded): exactly(len(o.Refunds)), string(schemas.OrderCancelled): exactly(cancelled)}
		t["finance"][id] = due{
			string(schemas.OrderCreated): exactly(1), string(schemas.PaymentCaptured): exactly(paid),
			string(schemas.RefundSucceeded): exactly(len(o.Refunds)), string(schemas.OrderCancelled): exactly(cancelled),
		}
		t["analytics"][id] = due{
			string(schemas.OrderCreated): exactly(1), string(schemas.PaymentCaptured): exactly(paid), string(schemas.FraudAssessed): exactly(1),
			string(schemas.RefundSucceeded): exactly(len(o.Refunds)), string(schemas.OrderCancelled): exactly(cancelled),
		}
		t["warehouse"][id] = due{"fulfill": exactly(paid), "cancel": exactly(0)}
		if stopped {
			t["warehouse"][id] = due{"fulfill": span{0, paid}, "cancel": span{0, paid}}
		}
	}
	for _, c := range customers {
		t["crm"][c.ID] = due{"contact": exactly(1), "update": exactly(0)}
		t["analytics"][c.ID] = due{string(schemas.CustomerRegistered): exactly(1)}
	}
	return t
}

// uncounted are the operations that have no one right number: an ERP record is written once per state that reaches it,
// and analytics counts states and parcels.
var uncounted = map[string]bool{
	"erp/update": true, "analytics/order.updated": true, "analytics/fulfillment.shipped": true, "analytics/order.enriched": true,
}
