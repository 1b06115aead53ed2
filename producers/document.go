package producers

// Document is a JSON document as the edge reads every body: exactly, each number as it was written. It is for tools that
// look into bodies as the edge does; the zero Document holds nothing.
type Document struct{ root *node }

// ReadJSON reads a document and has it used; the document ends with use, texts from it stay. An error says what is not
// exact JSON and where, and use is not called.
func ReadJSON(b []byte, use func(Document)) error {
	var fault error
	withJSON(b, func(root *node, err error) {
		if fault = err; err == nil {
			use(Document{root})
		}
	})
	return fault
}

// Text is the string, number or boolean at a dotted path ("line_items.0.price"); empty when there is none.
func (d Document) Text(path string) string {
	if v := d.root.get(path); v.leaf() {
		return v.text
	}
	return ""
}
