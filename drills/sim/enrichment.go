package sim

import (
	"encoding/json"
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
			OrderID string            `json:"order_id"`
			Note    string            `json:"note"`
			Lines   []json.RawMessage `json:"lines"`
			Total   *amount           `json:"total"`
		}
		if ans, ok := decode(body, &in); !ok {
			return ans
		}
		if in.OrderID == "" {
			return problem(http.StatusUnprocessableEntity, "order_id is required")
		}
		s.effect(in.OrderID, "enrich")
		written := classify(in.Note, len(in.Lines))
		written["facts_at"] = s.clock()
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

// classify is pure: the same note and count of lines give the same words. A note is data; it is never obeyed.
func classify(note string, lines int) map[string]any {
	tags := []string{}
	for _, word := range strings.FieldsFunc(strings.ToLower(note), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if tag, ok := noteWords[word]; ok && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	category, summary := "single", "one line"
	if lines > 1 {
		category, summary = "basket", "several lines"
	}
	if len(tags) > 0 {
		summary += ", the note asks for: " + strings.Join(tags, ", ")
	}
	return map[string]any{"category": category, "summary": summary, "tags": tags, "model": "wordlist-1"}
}
