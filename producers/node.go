package producers

import (
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// bearerNames are members whose value opens something to whoever holds it: they and what is below them never leave
// the raw body. Sources: Shopify orders, WooCommerce orders, Stripe charges and intents, Adyen additionalData.
var bearerNames = map[string]bool{
	"order_status_url": true, "token": true, "cart_token": true, "checkout_token": true, "multipass_identifier": true,
	"authenticate_url": true, "authenticate_key": true, "authenticate": true, "status_page_url": true, "abandoned_checkout_url": true,
	"order_key": true, "payment_url": true,
	"receipt_url": true, "client_secret": true, "hosted_invoice_url": true, "invoice_pdf": true, "hosted_verification_url": true,
	"hmacSignature": true, "access_token": true, "api_key": true, "password": true, "secret": true,
}

// bearerLengths has, by the first byte of a bearer name, a bit for its length: most names need no look into the map.
var bearerLengths = func() (lengths [256]uint64) {
	for name := range bearerNames {
		lengths[name[0]] |= 1 << len(name)
	}
	return lengths
}()

// bearerName is bearerNames[name], for names by the hundred.
func bearerName(name string) bool {
	return name != "" && len(name) < 64 && bearerLengths[name[0]]>>len(name)&1 != 0 && bearerNames[name]
}

// bearerMark is a part of a value that makes it a bearer secret whatever its name.
const bearerMark = "authenticate?key="

// path is the dotted path from the root: "line_items.0.id"; empty for the root.
func (n *node) path() string { return n.pathFrom(nil) }

func (n *node) pathFrom(root *node) string {
	var parts []string
	for ; n != nil && n != root && n.up != nil; n = n.up {
		parts = append(parts, n.name)
	}
	slices.Reverse(parts)
	return strings.Join(parts, ".")
}

// get is the value at a dotted path below n; nil when any step is missing. A member whose own name has dots wins over
// the path.
func (n *node) get(path string) *node {
	if n == nil {
		return nil
	}
	if kid := n.member(path); kid != nil {
		return kid
	}
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return nil
	}
	return n.member(head).get(rest)
}

// member is the child of that name; nil when there is none.
func (n *node) member(name string) *node {
	if n == nil {
		return nil
	}
	for _, kid := range n.kids {
		if kid.name == name {
			return kid
		}
	}
	return nil
}

// items are the elements of an array; none for anything else.
func (n *node) items() []*node {
	if n == nil || n.kind != kindArray {
		return nil
	}
	return n.kids
}

// present tells whether there is a value other than null.
func (n *node) present() bool { return n != nil && n.kind != kindNull }

// leaf tells whether n is a string, number or boolean.
func (n *node) leaf() bool {
	return n != nil && (n.kind == kindString || n.kind == kindNumber || n.kind == kindBool)
}

// names lists the member names of an object, for error texts, at most eight.
func (n *node) names() string {
	var out []string
	if n != nil && n.kind == kindObject {
		for _, kid := range n.kids {
			out = append(out, kid.name)
		}
	}
	if len(out) == 0 {
		return "no members"
	}
	if len(out) > 8 {
		out = append(out[:8], "...")
	}
	return strings.Join(out, ", ")
}

// maxExtensions bounds the names and texts of an event's extensions, in bytes: a long name above many values would
// multiply, and Kafka takes no more than a megabyte in one record.
const maxExtensions = 900_000

// rest puts every leaf below n that was not taken into ext by its dotted path from n, but for bearer secrets and empty
// texts.
func (t *taker) rest(n *node, ext map[string]string) {
	if n != nil {
		r := &remains{taker: t, root: n, ext: ext, alike: len(ext) > 0}
		r.add(n)
	}
}

// extend puts the rest of n into the extensions of an event that has none yet, in memory of the right size.
func (t *taker) extend(ev *schemas.Event, n *node) {
	r := &remains{taker: t, root: n}
	leaves, size := r.measure(n, 0)
	r.ext = make(map[string]string, leaves)
	r.paths.Grow(min(size, maxExtensions))
	r.add(n)
	ev.Extensions = r.ext
}

// remains is what is left of a document.
type remains struct {
	*taker
	root  *node
	ext   map[string]string
	path  []byte          // of the value that is looked at
	paths strings.Builder // the paths in ext, one behind the other
	alike bool            // two paths may be spelled alike
}

// add adds the leaves of n.
func (r *remains) add(n *node) {
	if n.secret || n.own && n != r.root || r.err != nil {
		return
	}
	above := len(r.path)
	for _, kid := range n.kids {
		if n != r.root {
			r.path = append(r.path, '.')
		}
		r.path = append(r.path, kid.name...)
		r.alike = r.alike || strings.IndexByte(kid.name, '.') >= 0
		r.add(kid)
		r.path = r.path[:above]
	}
	if !n.left() {
		return
	}
	from := r.paths.Len()
	r.paths.Write(r.path)
	key := r.paths.String()[from:]
	for twice := r.alike; twice; { // a member whose own name has dots may spell another's path
		if _, twice = r.ext[key]; twice {
			key += "'"
		}
	}
	if r.rested += len(key) + len(n.text); r.rested > maxExtensions {
		r.fail(nil, "", "its values take more than %d bytes with their paths: send less in one delivery", maxExtensions)
		return
	}
	r.ext[key] = n.text
}

// measure counts the leaves that add adds at most and the bytes of their paths, where the path of n has so many.
func (r *remains) measure(n *node, path int) (leaves, size int) {
	if n.secret || n.own && n != r.root {
		return 0, 0
	}
	if n != r.root {
		path++
	}
	for _, kid := range n.kids {
		l, s := r.measure(kid, path+len(kid.name))
		leaves, size = leaves+l, size+s
	}
	if n.leaf() && !n.taken && n.text != "" {
		leaves, size = leaves+1, size+path
	}
	return leaves, size
}

// left tells whether n is a leaf that belongs into the extensions.
func (n *node) left() bool {
	return n.leaf() && !n.taken && n.text != "" && !strings.Contains(n.text, bearerMark)
}
