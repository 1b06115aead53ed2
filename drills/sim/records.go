package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// newTax is the tax authority's gateway: transactions and refunds, each once per idempotency key.
func newTax(_ *World, s *System) {
	ids := map[string]string{} // order and transaction id to order
	newTaxCorrections(s, ids)
	s.route("POST /v1/transactions", func(r *http.Request, body []byte) answer {
		return s.once(r, body, func() answer {
			var in struct {
				OrderID string          `json:"order_id"`
				Total   *amount         `json:"total"`
				Tax     *amount         `json:"tax"`
				Lines   json.RawMessage `json:"lines"`
			}
			if ans, ok := decode(body, &in); !ok {
				return ans
			}
			if in.OrderID == "" {
				return problem(http.StatusUnprocessableEntity, "order_id is required")
			}
			if ans, ok := in.Total.check("total"); !ok {
				return ans
			}
			id := fmt.Sprintf("tax_%06d", len(ids)/2+1)
			ids[id], ids[in.OrderID] = in.OrderID, in.OrderID
			s.effect(in.OrderID, "transaction")
			return answer{http.StatusCreated, map[string]string{"id": id, "order_id": in.OrderID}}
		})
	})
	s.route("POST /v1/transactions/{id}/refunds", func(r *http.Request, body []byte) answer {
		return s.once(r, body, func() answer {
			var in struct {
				RefundID string  `json:"refund_id"`
				Amount   *amount `json:"amount"`
			}
			if ans, ok := decode(body, &in); !ok {
				return ans
			}
			order, ok := ids[r.PathValue("id")]
			if !ok {
				return problem(http.StatusNotFound, "no transaction %s", r.PathValue("id"))
			}
			if in.RefundID == "" {
				return problem(http.StatusUnprocessableEntity, "refund_id is required")
			}
			if ans, ok := in.Amount.check("amount"); !ok {
				return ans
			}
			s.effect(order, "refund/"+in.RefundID)
			return answer{http.StatusCreated, map[string]string{"id": in.RefundID, "order_id": order}}
		})
	})
}

// newTaxCorrections lets a transaction be corrected, once per idempotency key.
func newTaxCorrections(s *System, ids map[string]string) {
	s.route("POST /v1/transactions/{id}/corrections", func(r *http.Request, body []byte) answer {
		return s.once(r, body, func() answer {
			var in struct {
				Total *amount `json:"total"`
				Tax   *amount `json:"tax"`
			}
			if ans, ok := decode(body, &in); !ok {
				return ans
			}
			order, ok := ids[r.PathValue("id")]
			if !ok {
				return problem(http.StatusNotFound, "no transaction %s", r.PathValue("id"))
			}
			if in.Total == nil && in.Tax == nil {
				return problem(http.StatusUnprocessableEntity, "one of total, tax is required")
			}
			s.effect(order, "correction")
			return answer{http.StatusCreated, map[string]string{"id": "cor_" + shortHash(order, string(body)), "order_id": order}}
		})
	})
}

// newAnalytics is an event store that names records by our event id.
func newAnalytics(_ *World, s *System) {
	seen := map[string]bool{}
	s.route("PUT /v1/events/{id}", func(r *http.Request, body []byte) answer {
		var in struct {
			Type    string `json:"type"`
			Subject string `json:"subject"`
		}
		if ans, ok := decode(body, &in); !ok {
			return ans
		}
		if in.Type == "" || in.Subject == "" {
			return problem(http.StatusUnprocessableEntity, "type and subject are required")
		}
		id := r.PathValue("id")
		if seen[id] {
			return answer{http.StatusOK, map[string]string{"id": id}}
		}
		seen[id] = true
		s.effect(in.Subject, in.Type)
		return answer{http.StatusCreated, map[string]string{"id": id}}
	})
}

// newSupport is a help desk with no idempotency of any kind: every call opens a case.
func newSupport(_ *World, s *System) {
	cases := 0
	s.route("POST /v1/cases", func(_ *http.Request, body []byte) answer {
		var in struct {
			OrderID string `json:"order_id"`
			Kind    string `json:"kind"`
			Text    string `json:"text"`
		}
		if ans, ok := decode(body, &in); !ok {
			return ans
		}
		if in.OrderID == "" || in.Kind == "" {
			return problem(http.StatusUnprocessableEntity, "order_id and kind are required")
		}
		cases++
		s.effect(in.OrderID, in.Kind)
		return answer{http.StatusCreated, map[string]string{"id": fmt.Sprintf("case_%05d", cases)}}
	})
}

// newFraud scores orders and tells the score later.
func newFraud(w *World, s *System) {
	s.route("POST /v1/assessments", func(r *http.Request, body []byte) answer {
		return s.once(r, body, func() answer {
			var in struct {
				OrderID string  `json:"order_id"`
				Total   *amount `json:"total"`
				Country string  `json:"country"`
			}
			if ans, ok := decode(body, &in); !ok {
				return ans
			}
			if in.OrderID == "" {
				return problem(http.StatusUnprocessableEntity, "order_id is required")
			}
			if ans, ok := in.Total.check("total"); !ok {
				return ans
			}
			s.effect(in.OrderID, "assess")
			score := w.rand("fraud/" + in.OrderID).IntN(100)
			level, advice := "low", "accept"
			if score >= 95 {
				level, advice = "high", "investigate"
			} else if score >= 80 {
				level, advice = "medium", "accept"
			}
			id := "as_" + shortHash(in.OrderID)
			w.tell(s, "fraud", "fraud.assessed", in.OrderID, 2*time.Minute, func() map[string]any {
				return map[string]any{"order_id": in.OrderID, "version": s.clock(), "fraud": map[string]any{
					"id": id, "level": level, "score": fmt.Sprintf("0.%02d", score), "recommendation": advice, "provider": "sentinel",
				}}
			})
			return answer{http.StatusAccepted, map[string]string{"id": id, "status": "pending"}}
		})
	})
}

// newCRM keeps contacts by customer id, puts each new one into a segment, and tells it; it forgets one that is deleted.
func newCRM(w *World, s *System) {
	contacts := map[string]string{}
	s.route("PATCH /v1/contacts/{id}", func(r *http.Request, body []byte) answer {
		id := r.PathValue("id")
		was, known := contacts[id]
		if !known {
			return problem(http.StatusNotFound, "no contact %s", id)
		}
		contact := map[string]any{}
		for _, text := range []string{was, string(body)} {
			if ans, ok := decode([]byte(text), &contact); !ok {
				return ans
			}
		}
		now, err := json.Marshal(contact)
		if err != nil {
			return problem(http.StatusBadRequest, "bad body: %v", err)
		}
		if contacts[id] = string(now); was != contacts[id] {
			s.effect(id, "correct")
		}
		return answer{http.StatusOK, map[string]string{"id": id}}
	})
	s.route("PUT /v1/contacts/{id}", func(r *http.Request, body []byte) answer {
		var in struct {
			Email     string `json:"email"`
			FirstName string `json:"first_name"`
			LastName  string `json:"last_name"`
			Phone     string `json:"phone"`
		}
		if ans, ok := decode(body, &in); !ok {
			return ans
		}
		id := r.PathValue("id")
		if in.Email == "" && in.Phone == "" && in.LastName == "" {
			return problem(http.StatusUnprocessableEntity, "one of email, phone, last_name is required")
		}
		was, known := contacts[id]
		contacts[id] = string(body)
		switch {
		case !known:
			s.effect(id, "contact")
			segment := []string{"new", "new", "vip", "trade"}[w.rand("segment/"+id).IntN(4)]
			w.tell(s, "crm", "customer.updated", id, time.Minute, func() map[string]any {
				return map[string]any{"customer_id": id, "version": s.clock(), "customer": map[string]any{"id": id, "segment": segment}}
			})
			return answer{http.StatusCreated, map[string]string{"id": id}}
		case was != string(body):
			s.effect(id, "update")
		}
		return answer{http.StatusOK, map[string]string{"id": id}}
	})
	s.route("DELETE /v1/contacts/{id}", func(r *http.Request, _ []byte) answer {
		id := r.PathValue("id")
		if _, known := contacts[id]; !known {
			return problem(http.StatusNotFound, "there is no such contact")
		}
		delete(contacts, id)
		s.effect(id, "forget")
		return answer{http.StatusOK, map[string]string{"id": id}}
	})
}
