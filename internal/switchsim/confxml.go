package switchsim

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// stockConference is what a stock installation comes with, as far as the
// simulation reads it.
const stockConference = `<configuration name="conference.conf">
  <advertise/>
  <caller-controls>
    <group name="default">
      <control action="mute" digits="0"/>
      <control action="deaf mute" digits="*"/>
      <control action="vol talk dn" digits="1"/>
      <control action="vol listen dn" digits="4"/>
      <control action="vol listen up" digits="6"/>
      <control action="hangup" digits="#"/>
    </group>
  </caller-controls>
  <profiles>
    <profile name="default">
      <param name="domain" value="127.0.0.1"/>
      <param name="rate" value="8000"/>
      <param name="interval" value="20"/>
      <param name="energy-level" value="100"/>
      <param name="comfort-noise" value="true"/>
      <param name="moh-sound" value="local_stream://moh"/>
    </profile>
  </profiles>
</configuration>
`

// conferenceConf is what the switch has loaded of conference.conf.
type conferenceConf struct {
	text     string
	groups   map[string][]control
	profiles map[string]map[string]string
}

// parseConferenceConf reads a conference.conf. Elements that the simulation does
// not know are passed over, as the switch does.
func parseConferenceConf(text string) (*conferenceConf, error) {
	c := &conferenceConf{text: text, groups: map[string][]control{}, profiles: map[string]map[string]string{}}
	d := xml.NewDecoder(strings.NewReader(text))
	var group, profile string
	seen := false
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch el := tok.(type) {
		case xml.StartElement:
			at := func(name string) string {
				for _, a := range el.Attr {
					if a.Name.Local == name {
						return a.Value
					}
				}
				return ""
			}
			switch el.Name.Local {
			case "configuration":
				seen = true
			case "group":
				group = at("name")
				c.groups[group] = nil
			case "control":
				c.groups[group] = append(c.groups[group], newControl(at("action"), at("digits"), at("data")))
			case "profile":
				profile = at("name")
				c.profiles[profile] = map[string]string{}
			case "param":
				if p := c.profiles[profile]; p != nil {
					p[at("name")] = at("value")
				}
			}
		case xml.EndElement:
			if el.Name.Local == "profile" {
				profile = ""
			}
		}
	}
	if !seen {
		return nil, fmt.Errorf("no <configuration> element")
	}
	return c, nil
}

// SetConferenceXML changes the switch's conference.conf, as an edit of the file
// and 'reloadxml' do: rooms that exist keep what they have.
func (s *Switch) SetConferenceXML(text string) error {
	c, err := parseConferenceConf(text)
	if err != nil {
		return fmt.Errorf("switchsim: conference.conf: %w", err)
	}
	s.lock()
	defer s.unlock()
	s.conf = c
	return nil
}

// keyTimeout is the time between two keys of a sequence, at least 500 ms.
func keyTimeout(profile map[string]string) time.Duration {
	ms, _ := strconv.Atoi(profile["ivr-dtmf-timeout"])
	return time.Duration(max(ms, 500)) * time.Millisecond
}
