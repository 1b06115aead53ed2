package producers

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const (
	statusFor   = 24 * time.Hour   // how long a status URL is answered
	statusReads = 4                // of Kafka, for status URLs, at once
	statusLimit = 10 * time.Second // of one
	lateBy      = time.Minute      // by how much clocks of edge and brokers may differ
)

// ticket is what a status URL carries, signed with the source's secret.
type ticket struct {
	IDs    []schemas.EventID `json:"i"`
	Keys   []string          `json:"k"` // of their records, each once
	Since  int64             `json:"s"` // Unix milliseconds
	Source string            `json:"n"`
}

func (w *waits) token(s *topology.Source, received time.Time, ids []schemas.EventID, keys []string) string {
	b, _ := json.Marshal(ticket{ids, keys, received.UnixMilli(), s.Name})
	return base64.RawURLEncoding.EncodeToString(b) + "." + base64.RawURLEncoding.EncodeToString(ticketMAC(firstKey((&delivery{source: s}).textKeys()), b))
}

// ticketMAC signs a ticket: with a text before it that no delivery begins with.
func ticketMAC(key, b []byte) []byte { return mac(key, []byte("seam status "), b) }

// ticketOf is what a token carries, if one of the source's secrets signed it.
func ticketOf(s *topology.Source, token string) (ticket, bool) {
	head, tail, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(head)
	sum, err2 := base64.RawURLEncoding.DecodeString(tail)
	var t ticket
	if err != nil || err2 != nil {
		return t, false
	}
	for _, key := range (&delivery{source: s}).textKeys() {
		if hmac.Equal(sum, ticketMAC(key, b)) {
			return t, json.Unmarshal(b, &t) == nil && t.Source == s.Name
		}
	}
	return t, false
}

// status answers GET /in/{source}/events/{token}: 200 with every outcome, 202 while some are missing.
func (e *Edge) status(w http.ResponseWriter, req *http.Request) {
	in := e.sources[req.PathValue("source")]
	if in == nil || in.source.Wait == nil {
		http.Error(w, "no such source", http.StatusNotFound)
		return
	}
	t, ok := ticketOf(in.source, req.PathValue("token"))
	if !ok {
		http.Error(w, "no such event", http.StatusNotFound)
		return
	}
	since := time.UnixMilli(t.Since)
	if e.cfg.Now().Sub(since) > statusFor {
		http.Error(w, "asked too late", http.StatusGone)
		return
	}
	select {
	case e.waits.reads <- struct{}{}:
		defer func() { <-e.waits.reads }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), statusLimit)
	defer cancel()
	list, err := e.waits.read(ctx, t, in.source.Wait.For)
	if err != nil {
		e.cfg.Logger.Warn("status is not known", "source", in.source.Name, "err", err)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	rep := waitReply{reply: reply{EventIDs: t.IDs}, Outcomes: list, Complete: len(list) == len(t.IDs)*len(in.source.Wait.For)}
	w.Header().Set("Content-Type", "application/json")
	if !rep.Complete {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusAccepted)
	}
	_ = json.NewEncoder(w).Encode(rep)
}

// read finds the outcomes of events in their topic: of each integration the newest that is not of a copy.
func (w *waits) read(ctx context.Context, t ticket, integrations []string) ([]Waited, error) {
	cl, err := w.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	starts, err := adm.ListOffsetsAfterMilli(ctx, t.Since-lateBy.Milliseconds(), w.topic())
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	ends, err := adm.ListCommittedOffsets(ctx, w.topic()) // up to open transactions
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	left, at := map[int32]int64{}, map[int32]kgo.Offset{}
	for _, key := range t.Keys {
		p := topology.PartitionOf(key, w.e.cfg.Topology.Partitions)
		start, _ := starts.Lookup(w.topic(), p)
		end, _ := ends.Lookup(w.topic(), p)
		if start.Offset < end.Offset {
			left[p], at[p] = end.Offset, kgo.NewOffset().At(start.Offset)
		}
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{w.topic(): at})
	found := map[waitKey]Waited{}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return nil, fmt.Errorf("%d partitions are not read: %w", len(left), err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
			integration, event, ok := outcomeNames(rec)
			if !ok || !slices.Contains(t.IDs, event) || !slices.Contains(integrations, integration) {
				continue
			}
			o, err := w.e.cfg.Publisher.serde.DecodeOutcome(ctx, rec.Value)
			if err != nil {
				return nil, err
			}
			k := waitKey{event, integration}
			if _, had := found[k]; !had || o.Kind != schemas.Duplicate {
				found[k] = waitedOf(o)
			}
		}
	}
	out := make([]Waited, 0, len(found))
	for _, v := range found {
		out = append(out, v)
	}
	return sortWaited(out), nil
}
