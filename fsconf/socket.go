package fsconf

import (
	"slices"
	"strings"
)

// socketData is the argument of the socket application: asynchronous, so that
// events flow while the call goes on. It is not full, so that whoever listens at
// that address gets this one call and no api command of the switch.
func socketData(s Settings) string {
	addr, err := s.socketAddress()
	if err != nil {
		return ""
	}
	return addr + " async"
}

// fullSocket returns the address to which an extension connects calls with
// "full", or "". Where only is not empty, other addresses are left out.
func fullSocket(extension *node, only string) string {
	addr := ""
	extension.find(func(n *node) bool {
		if n.name != "action" && n.name != "anti-action" || !strings.EqualFold(n.attr("application"), "socket") {
			return false
		}
		words := strings.Fields(n.attr("data"))
		if len(words) == 0 || !slices.ContainsFunc(words[1:], func(w string) bool { return strings.EqualFold(w, "full") }) {
			return false
		}
		// The application takes several addresses, with bars in between.
		if only != "" && !slices.Contains(strings.Split(words[0], "|"), only) {
			return false
		}
		addr = words[0]
		return true
	})
	return addr
}

// fullProblem says what is wrong with such an extension.
func fullProblem(addr string) string {
	return "it calls " + clip(addr) + " with 'full': whoever listens there may send the switch any command"
}

// otherFull returns the first extension, other than livemon's own, that connects
// calls to livemon's address with "full", or nil.
func otherFull(context *node, s Settings) *node {
	addr, err := s.socketAddress()
	if context == nil || err != nil {
		return nil
	}
	for _, e := range context.all("extension") {
		if e.attr("name") != dialInName && fullSocket(e, addr) != "" {
			return e
		}
	}
	return nil
}

// takesFullAway reports whether a change of the dial-in extension's file takes a
// "full" out of it.
func takesFullAway(before, after []byte) bool {
	root, err := parseXML(before)
	if err != nil || fullSocket(root, "") == "" {
		return false
	}
	root, err = parseXML(after)
	return err == nil && fullSocket(root, "") == ""
}
