package sim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// noteWords are what the classifier looks for in a note. It has no other door: whatever a note asks for, it gets tags.
var noteWords = map[string]string{
	"gift": "gift", "present": "gift", "urgent": "urgent", "hurry": "urgent", "invoice": "invoice", "doorbell": "delivery",
	"neighbour": "delivery", "allergy": "care", "fragile": "care",
}

// newEnrichment is the step that others would give to a language model: POST without any key, a GET that tells whether
// it has an order, and a call-back with what it wrote.
func newEnrichment(w *World, s *System) {
	done := map[string]map[string]any{}
	s.route("POST /v1/enrichments", func(_ *http.Request, body []byte) answer {
		var in struct {
			OrderID string `json:"order_id"`
			Note    string `json:"note"`
			Facts   told   `json:"facts"`
		}
		if ans, ok := decode(body, &in); !ok {
			return ans
		}
		if in.OrderID == "" {
			return problem(http.StatusUnprocessableEntity, "order_id is required")
		}
		if in.Facts.ID == "" || in.Facts.value("order.lines") == "" {
			return problem(http.StatusUnprocessableEntity, "facts with an id and order.lines are required: nothing is written from hearsay")
		}
		s.effect(in.OrderID, "enrich")
		written := classify(in.Note, in.Facts)
		written["facts_id"], written["facts_at"] = in.Facts.ID, in.Facts.FactsAt
		done[in.OrderID] = written
		w.tell(s, "enrichment", "order.enriched", in.OrderID, time.Minute, func() map[string]any {
			return map[string]any{"order_id": in.OrderID, "version": s.clock(), "enrichment": written}
		})
		return answer{http.StatusAccepted, map[string]any{"order_id": in.OrderID, "status": "queued"}}
	})
	s.route("GET /v1/enrichments/{id}", func(r *http.Request, _ []byte) answer {
		written, ok := done[r.PathValue("id")]
		if !ok {
			return problem(http.StatusNotFound, "nothing written about order %s", r.PathValue("id"))
		}
		return answer{http.StatusOK, map[string]any{"order_id": r.PathValue("id"), "enrichment": written}}
	})
}

// told is the facts that a request carries.
type told struct {
	ID      string `json:"id"`
	FactsAt string `json:"facts_at"`
	Facts   []struct {
		Field string `json:"field"`
		SKU   string `json:"sku"`
		Value string `json:"value"`
		Agree string `json:"agree"`
	} `json:"facts"`
}

// value is what a field is said to be; empty for one that is not among the facts.
func (f *told) value(field string) string {
	for _, x := range f.Facts {
		if x.Field == field {
			return x.Value
		}
	}
	return ""
}

// classify is pure: the same note and the same facts give the same words. Facts say what the order is; a note is data that
// adds tags, and is never obeyed.
func classify(note string, facts told) map[string]any {
	tags := []string{}
	for _, word := range strings.FieldsFunc(strings.ToLower(note), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if tag, ok := noteWords[word]; ok && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	category, summary := "single", "one line"
	if lines := strings.Count(facts.value("order.lines"), ",") + 1; lines > 1 {
		category, summary = "basket", fmt.Sprintf("%d lines", lines)
	}
	if total := facts.value("order.total"); total != "" {
		summary += " for " + total
	}
	if segment := facts.value("customer.segment"); segment != "" {
		summary += ", customer " + segment
	}
	if len(tags) > 0 {
		summary += ", the note asks for: " + strings.Join(tags, ", ")
	}
	return map[string]any{"category": category, "summary": summary, "tags": tags, "model": "wordlist-1"}
}
