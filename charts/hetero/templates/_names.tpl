{{/* Names, labels and images. */}}

{{- define "hetero.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* 40 letters leave room for "-certificate-hook" and a vendor's name in the 63 that a label's value has. */}}
{{- define "hetero.fullname" -}}
{{- $name := include "hetero.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects the pods of a component: (dict "top" . "component" "scheduler"). Never changes in an upgrade. */}}
{{- define "hetero.selector" -}}
app.kubernetes.io/name: {{ include "hetero.name" .top | quote }}
app.kubernetes.io/instance: {{ .top.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The labels of an object: the same argument. */}}
{{- define "hetero.labels" -}}
{{ include "hetero.selector" . }}
app.kubernetes.io/version: {{ .top.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .top.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .top.Chart.Name .top.Chart.Version | replace "+" "_" }}
{{- with .top.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image of values: (dict "top" . "image" .Values.images.agent). A tag with a colon is a digest. */}}
{{- define "hetero.image" -}}
{{- $tag := default .top.Chart.AppVersion .image.tag -}}
{{- printf "%s%s%s" .image.repository (ternary "@" ":" (contains ":" $tag)) $tag -}}
{{- end -}}

{{/* The image of the scheduler and of the jobs: one that a vendor brings has hetero as well. */}}
{{- define "hetero.schedulerImage" -}}
{{- $own := list -}}
{{- range (include "hetero.enabled" . | fromYaml) }}{{ with .image }}{{ $own = append $own . }}{{ end }}{{ end -}}
{{- $own = uniq $own -}}
{{- if .Values.scheduler.image -}}
{{- .Values.scheduler.image -}}
{{- else if $own -}}
{{- first $own -}}
{{- else -}}
{{- include "hetero.image" (dict "top" . "image" .Values.images.scheduler) -}}
{{- end -}}
{{- end -}}

{{/* The image of kube-scheduler: named, or that of the cluster's own. Empty when neither is there. */}}
{{- define "hetero.kubeSchedulerImage" -}}
{{- if .Values.kubeScheduler.image -}}
  {{- $last := splitList "/" .Values.kubeScheduler.image | last -}}
  {{- if or (contains ":" $last) (contains "@" $last) -}}
    {{- .Values.kubeScheduler.image -}}
  {{- else -}}
    {{- printf "%s:%s" .Values.kubeScheduler.image (include "hetero.kubeVersion" .) -}}
  {{- end -}}
{{- else -}}
  {{- $found := list -}}
  {{- range (default list (lookup "v1" "Pod" "kube-system" "").items) -}}
    {{- if eq "kube-scheduler" (dig "metadata" "labels" "component" "" .) -}}
      {{- range .spec.containers }}{{ $found = append $found .image }}{{ end -}}
    {{- end -}}
  {{- end -}}
  {{- with $found | sortAlpha }}{{ first . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* v1.2.3 of a version that a provider may have added its own words to. */}}
{{- define "hetero.kubeVersion" -}}
{{- regexFind "^v[0-9]+\\.[0-9]+\\.[0-9]+" .Capabilities.KubeVersion.Version -}}
{{- end -}}
