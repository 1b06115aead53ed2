package review

import (
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const topicsFile = "topics.yaml"

// outageClusterRules ask of the recovery path whether the cluster still has what is to be recovered from.
var outageClusterRules = []Rule{
	{ID: "retention-short", Question: Outage, Severity: Error, Title: "A topic forgets before a long weekend is over",
		Why:  "An integration that stood still from Friday to Tuesday comes back to records that are gone.",
		Mend: "keep event topics for a week at least; 90d lets a quarter be replayed",
		all: func(s *scope) {
			for _, name := range []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory} {
				if kept := s.retention(s.t.TopicName(name)); kept > 0 && kept < 7*24*time.Hour {
					s.at("topics/"+name, topicsFile, "retention."+name, "%s keeps records for %s", name, long(kept))
				}
			}
		}},
	{ID: "retention-below-source", Question: Outage, Severity: Error, Title: "A topic forgets before its sources stop repeating",
		Why:  "What a source still sends again cannot be found in the topic any more, so that nobody can tell a repetition from a loss.",
		Mend: "make retention.orders longer than the longest time for which a source repeats",
		all: func(s *scope) {
			kept := s.retention(s.t.TopicName(schemas.TopicOrders))
			for i := range s.t.Sources {
				if src := &s.t.Sources[i]; kept >= 7*24*time.Hour && src.RepeatedFor() > kept {
					s.at("topics/"+schemas.TopicOrders, topicsFile, "retention."+schemas.TopicOrders, "orders keeps records for %s, and %s may repeat for %s", long(kept), src.Name, long(src.RepeatedFor()))
				}
			}
		}},
	{ID: "retention-outcomes-short", Question: Outage, Severity: Error, Title: "The outcomes are forgotten before the events",
		Why:  "The view is made anew from the topics. An event whose outcome is gone looks undelivered, and calls the team for an order that was done long ago.",
		Mend: "make retention.reconciliation at least as long as retention.orders",
		all: func(s *scope) {
			orders, outcomes := s.retention(s.t.TopicName(schemas.TopicOrders)), s.retention(s.t.TopicName(topology.TopicReconciliation))
			if outcomes > 0 && outcomes < orders {
				s.at("topics/"+topology.TopicReconciliation, topicsFile, "retention."+topology.TopicReconciliation, "outcomes are kept for %s, and orders for %s", long(outcomes), long(orders))
			}
		}},
	{ID: "retention-quarantine-short", Question: Outage, Severity: Error, Title: "The quarantine empties before anybody has mended it",
		Why:  "What could not be read waits there for a fix and a release. After days that are too few it is gone, and the source does not send it again.",
		Mend: "make retention.quarantine two weeks at least",
		all: func(s *scope) {
			if kept := s.retention(s.t.TopicName(topology.TopicQuarantine)); kept > 0 && kept < 14*24*time.Hour {
				s.at("topics/"+topology.TopicQuarantine, topicsFile, "retention."+topology.TopicQuarantine, "the quarantine keeps deliveries for %s", long(kept))
			}
		}},
	{ID: "replicas-one", Question: Outage, Severity: Error, Title: "One copy of every order",
		Why:  "The broker whose disk fails takes the orders with it. acks=all of one is one.",
		Mend: "write replicas: 3 and min_insync_replicas: 2",
		all: func(s *scope) {
			for _, t := range s.t.Topics {
				if s.t.Environment == production && t.Replicas >= 0 && t.Replicas < 3 {
					s.at("topics", topicsFile, "replicas", "production keeps %d of each record", t.Replicas)
					return
				}
			}
		}},
	{ID: "min-insync-missing", Question: Outage, Severity: Warning, Title: "acks=all of whoever is left",
		Why:  "Without min.insync.replicas a broker that has lost the others still says yes to a webhook, and its disk is the only one that knows.",
		Mend: "write min_insync_replicas: 2, with replicas: 3",
		all: func(s *scope) {
			if s.t.Environment != production {
				return
			}
			for _, t := range s.t.Topics {
				if n, err := strconv.Atoi(t.Configs["min.insync.replicas"]); err != nil || n < 2 {
					s.at("topics", topicsFile, "min_insync_replicas", "production does not say how many replicas must have a record")
					return
				}
			}
		}},
	{ID: "partitions-few", Question: Outage, Severity: Error, Title: "Too few partitions to catch up with more workers",
		Why:  "Partitions are the most workers that can share an integration, and their number can never grow without moving orders.",
		Mend: "write partitions: 8 or more before the first order",
		all: func(s *scope) {
			if s.t.Environment == production && s.t.Partitions > 0 && s.t.Partitions < 3 {
				s.at("topics", topicsFile, "partitions", "production has %d partitions", s.t.Partitions)
			}
		}},
	{ID: "environment-vague", Question: Outage, Severity: Error, Title: "An environment that is none",
		Why:  "The word keeps staging from pointing at production, and some rules hold in production alone. A word that nobody agreed on keeps nothing.",
		Mend: "write development, test, staging or production",
		all: func(s *scope) {
			switch s.t.Environment {
			case "development", "test", "staging", production:
			default:
				s.at("topics", topicsFile, "environment", "environment is %q", s.t.Environment)
			}
		}},
	{ID: "prefix-of-production", Question: Outage, Severity: Error, Invariant: true, Title: "Another environment under production's prefix",
		Why:  "Test events in production's topics become parcels.",
		Mend: "give each environment a prefix of its own (SEAM_PREFIX)",
		all: func(s *scope) {
			if words := labelsOf(s.t.Prefix); s.t.Prefix != "" && misplaced(s.t.Environment, words) {
				s.at("topics", topicsFile, "prefix", "this is %s, and topics begin with %q", s.t.Environment, strings.TrimRight(s.t.Prefix, ".-_"))
			}
		}},
}
