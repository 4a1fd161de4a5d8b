{{/* What the chart decides of the dashboard, so that probes, Service and volumes fit. */}}
{{- define "hetero.dashboardConfig" -}}
{{- $service := .Values.dashboard.service.enabled -}}
{{- $own := dict
  "listen" (ternary "0.0.0.0:9446" "127.0.0.1:9446" $service)
  "health" "0.0.0.0:9447"
  "agents" "direct" -}}
{{- if .Values.dashboard.tlsSecret }}{{ $_ := merge $own (dict "tls_cert" "/etc/hetero-tls/tls.crt" "tls_key" "/etc/hetero-tls/tls.key") }}{{ end -}}
{{- if .Values.dashboard.proxySecret }}{{ $_ := set $own "proxy_secret" "/etc/hetero-proxy/secret" }}{{ end -}}
{{- if not (dig "auth" "" (default dict .Values.config.dashboard)) }}{{ $_ := set $own "auth" "token" }}{{ end -}}
{{- $name := printf "%s-dashboard" (include "hetero.fullname" .) -}}
{{- $hosts := dig "hosts" list (default dict .Values.config.dashboard) -}}
{{- if $service }}
{{- $_ := set $own "hosts" (concat $hosts (list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace)) | uniq) -}}
{{- end -}}
{{- include "hetero.config" (dict "top" . "vendors" (keys (include "hetero.enabled" . | fromYaml) | sortAlpha)
      "topics" (list "placement" "admission" "dashboard" "log")
      "settings" (dict "dashboard" $own "admission" (dict "scheduler_name" .Values.schedulerName))) -}}
{{- end -}}
