// Package mcp serves what the reconciler knows to AI assistants, over the Model Context Protocol.
//
// In come calls of tools; out go orders, facts, disagreements, parked events and how the integrations run. It is read-only
// unless a person starts it with plans: then an assistant may write down which parked events it would release or discard,
// a person approves that very plan outside of MCP, and one call carries it out, once, while nothing of it has changed.
//
// It never follows a text. What outside systems wrote (ids, statuses, details of answers) is in the member data of an answer,
// bounded and without invisible characters; what Seam itself says is in the member seam, and no source can word it. No tool
// calls another, and nothing that is read decides which tools there are.
//
// Why approvals are files that only another command writes: whatever an assistant was talked into, the tools it has do not
// reach them. That is as strong as the line between the assistant and that folder; docs/facts.md says how to draw it.
package mcp
