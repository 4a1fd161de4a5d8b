{{/* What follows from the map of vendors. Lists and maps are handed on as YAML: templates return text. */}}

{{/* The enabled vendors by name. One without resources is a misspelt one more often than not; every template asks here first. */}}
{{- define "hetero.enabled" -}}
{{- $found := dict -}}
{{- $known := list -}}
{{- range $name, $vendor := .Values.vendors }}{{ if and $vendor $vendor.resources }}{{ $known = append $known $name }}{{ end }}{{ end -}}
{{- range $name, $vendor := .Values.vendors -}}
  {{- if and $vendor $vendor.enabled -}}
    {{- if not $vendor.resources -}}
      {{- fail (printf "vendors.%s: is enabled and has no resources; correct the name, if one of these is meant: %s; another vendor's resources are in the values file of its package" $name (sortAlpha $known | join ", ")) -}}
    {{- end -}}
    {{- $_ := set $found $name $vendor -}}
  {{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The resources of one vendor, under "visible" those that a node's status has: its count and its totals. */}}
{{- define "hetero.resources" -}}
{{- $counts := kindIs "string" .resources.count | ternary (list .resources.count) .resources.count -}}
visible: {{ concat $counts (default list .resources.totals) | toJson }}
others: {{ default list .resources.others | toJson }}
{{- end -}}

{{/* The domains of all enabled vendors' resources, each once, in order. */}}
{{- define "hetero.domains" -}}
{{- $found := list -}}
{{- range (include "hetero.enabled" . | fromYaml) -}}
  {{- $resources := include "hetero.resources" . | fromYaml -}}
  {{- range concat $resources.visible $resources.others }}{{ $found = append $found (regexReplaceAll "/[^/]*$" . "") }}{{ end -}}
{{- end -}}
{{- toJson (uniq $found | sortAlpha) -}}
{{- end -}}

{{/* True in CEL for a pod of which a container names a resource in one of these domains. */}}
{{- define "hetero.condition" -}}
{{- $parts := list -}}
{{- range (include "hetero.domains" . | fromJsonArray) }}{{ $parts = append $parts (printf "r.startsWith('%s/')" .) }}{{ end -}}
{{- $ours := join " || " $parts -}}
{{- $amounts := list -}}
{{- range list "limits" "requests" -}}
  {{- $amounts = append $amounts (printf "(has(c.resources.%s) && c.resources.%s.exists(r, %s))" . . $ours) -}}
{{- end -}}
(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])).exists(c, has(c.resources) && ({{ join " || " $amounts }}))
{{- end -}}

{{/* The names of all vendors of the map, enabled or not. */}}
{{- define "hetero.names" -}}{{ keys .Values.vendors | sortAlpha | toJson }}{{- end -}}

{{/*
The agents: those vendors share one that need nothing of their own, and each other has its own.
Under "agents" a list of {name, component, vendors}; the name of the shared one is empty.
*/}}
{{- define "hetero.agents" -}}
{{- $shared := list -}}
{{- $agents := list -}}
{{- range $name, $vendor := include "hetero.enabled" . | fromYaml -}}
  {{- if $vendor.foreign -}}
  {{- else if or $vendor.image $vendor.package $vendor.runtimeClassName $vendor.hostPaths -}}
    {{- $agents = append $agents (dict "name" $name "component" (printf "agent-%s" $name) "vendors" (list $name)) -}}
  {{- else -}}
    {{- $shared = append $shared $name -}}
  {{- end -}}
{{- end -}}
{{- if $shared }}{{ $agents = prepend $agents (dict "name" "" "component" "agent" "vendors" $shared) }}{{ end -}}
{{- toYaml (dict "agents" $agents) -}}
{{- end -}}

{{/* The annotations in which the agents write what a node has, separated by blanks. */}}
{{- define "hetero.inventories" -}}
{{- $found := list -}}
{{- range (include "hetero.agents" . | fromYaml).agents }}{{ $found = append $found (printf "hetero.io/inventory%s" (ternary (printf "-%s" .name) "" (ne .name ""))) }}{{ end -}}
{{- join " " $found -}}
{{- end -}}

{{/* Not empty where there is an agent: with devices of foreign vendors alone there is none. */}}
{{- define "hetero.hasAgents" -}}{{ with (include "hetero.agents" . | fromYaml).agents }}yes{{ end }}{{- end -}}

{{/*
Which nodes an agent is for: (dict "top" . "agent" ...). The nodes of any of its vendors; nothing, for all nodes, when one
of them names none.
*/}}
{{- define "hetero.nodeAffinity" -}}
{{- $terms := list -}}
{{- $everywhere := false -}}
{{- range .agent.vendors -}}
  {{- $selector := (get $.top.Values.vendors .).nodeSelector -}}
  {{- if $selector -}}
    {{- $expressions := list -}}
    {{- range $key, $value := $selector -}}
      {{- $expressions = append $expressions (dict "key" $key "operator" "In" "values" (list $value)) -}}
    {{- end -}}
    {{- $terms = append $terms (dict "matchExpressions" $expressions) -}}
  {{- else -}}
    {{- $everywhere = true -}}
  {{- end -}}
{{- end -}}
{{- if not $everywhere -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms: {{- toYaml (uniq $terms) | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* The environment that an agent's vendors ask for, by name: (dict "top" . "agent" ...). Search paths are joined. */}}
{{- define "hetero.agentEnvironment" -}}
{{- $found := dict -}}
{{- range $vendor := .agent.vendors -}}
  {{- range $name, $value := (get $.top.Values.vendors $vendor).env -}}
    {{- $before := get $found $name -}}
    {{- if and $before (hasSuffix "_PATH" $name) (ne $before (toString $value)) -}}
      {{- $_ := set $found $name (printf "%s:%s" $before $value) -}}
    {{- else if and (hasKey $found $name) (ne $before (toString $value)) -}}
      {{- fail (printf "vendors.%s.env.%s: %q differs from %q, which another vendor of the same agent has; give one of the two a runtimeClassName or an image, and it has an agent of its own" $vendor $name (toString $value) $before) -}}
    {{- else -}}
      {{- $_ := set $found $name (toString $value) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* Files of the machine that a vendor's agent needs, as a list of {path, type, writable}: a plain path is a directory. */}}
{{- define "hetero.hostPaths" -}}
{{- $found := list -}}
{{- range .hostPaths -}}
  {{- if kindIs "string" . -}}
    {{- $found = append $found (dict "path" . "type" "Directory" "writable" false) -}}
  {{- else -}}
    {{- $found = append $found (dict "path" .path "type" (default "Directory" .type) "writable" (default false .writable)) -}}
  {{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The packages that pip installs before a process starts, as arguments: (dict "top" . "vendors" (list ...)). */}}
{{- define "hetero.packages" -}}
{{- $found := list -}}
{{- range .vendors -}}
  {{- with (get $.top.Values.vendors .).package }}{{ $found = concat $found (regexSplit "\\s+" (trim .) -1) }}{{ end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/*
The configuration of a process: (dict "top" . "vendors" (list of those that it works with) "topics" (list of the settings
that it reads) "settings" (dict of what the chart says itself)).
*/}}
{{- define "hetero.config" -}}
{{- $required := list -}}
{{- $disabled := list -}}
{{- $foreign := list -}}
{{- range $name := include "hetero.names" .top | fromJsonArray -}}
  {{- $vendor := default dict (get $.top.Values.vendors $name) -}}
  {{- if not (has $name $.vendors) }}{{ $disabled = append $disabled $name }}
  {{- else }}
    {{- if ne $vendor.required false }}{{ $required = append $required $name }}{{ end }}
    {{- if $vendor.foreign }}{{ $foreign = append $foreign $name }}{{ end }}
  {{- end }}
{{- end -}}
{{- $made := dict "vendors" (dict "required" $required "disabled" $disabled "foreign" $foreign) -}}
{{- range $topic := .topics }}{{ with get $.top.Values.config $topic }}{{ $_ := set $made $topic (deepCopy .) }}{{ end }}{{ end -}}
{{- toYaml (mergeOverwrite $made (default dict .settings)) -}}
{{- end -}}

{{/* The settings of metrics that the chart says itself: what is not switched on is left to `config`. */}}
{{- define "hetero.metrics" -}}
{{- $found := dict -}}
{{- if .Values.metrics.peerNames }}{{ $_ := set $found "peer_names" true }}{{ end -}}
{{- if .Values.metrics.legacyNames }}{{ $_ := set $found "legacy_names" true }}{{ end -}}
{{- if $found }}{{ toJson (dict "metrics" $found) }}{{ else }}{}{{ end -}}
{{- end -}}

{{/* The configuration of an agent: (dict "top" . "agent" ...). */}}
{{- define "hetero.agentConfig" -}}
{{- $settings := dict "agent" (dict "kubelet_dir" (printf "%s/device-plugins" .top.Values.agent.kubeletDir)) -}}
{{- include "hetero.config" (dict "top" .top "vendors" .agent.vendors "topics" (list "agent" "drivers" "log" "metrics")
    "settings" (merge $settings (include "hetero.metrics" .top | fromJson))) -}}
{{- end -}}
