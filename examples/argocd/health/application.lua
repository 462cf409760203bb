-- Health of an Application inside an app of apps; Argo CD no longer assesses it by itself, and waves need it.
if obj.status ~= nil and obj.status.health ~= nil and obj.status.health.status ~= nil then
  return { status = obj.status.health.status, message = obj.status.health.message or "" }
end
return { status = "Progressing", message = "waiting for the first comparison" }
