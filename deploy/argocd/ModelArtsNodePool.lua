-- Argo CD's health of a ModelArtsNodePool. Only Lua's base library: no string, no math.
-- argocd-cm.yaml beside it is generated from this file by `make generate`; what each state means to a sync:
-- docs/operations/gitops.md
local function said(status, message)
  -- Argo CD 3.6 and later shows deletionMessage for an object that is being deleted, and message for all others.
  return { status = status, message = message, deletionMessage = message }
end

local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is(kind, wanted)
  return conditions[kind] ~= nil and conditions[kind].status == wanted
end

local function because(kind)
  local condition = conditions[kind]
  if condition == nil then
    return "the operator has not said anything yet"
  end
  return condition.reason .. ": " .. condition.message
end

if obj.metadata.deletionTimestamp ~= nil then
  -- Up to Argo CD 3.5 this is not run; it then shows "Pending deletion".
  if is("DeletionBlocked", "True") then
    return said("Progressing", because("DeletionBlocked"))
  end
  if is("Reconciling", "True") then
    return said("Progressing", because("Reconciling"))
  end
  return said("Progressing", "Pending deletion")
end

if status.observedGeneration ~= obj.metadata.generation then
  return said("Progressing", "waiting for the operator to look at this version of the object")
end
if is("Stalled", "True") then
  return said("Degraded", because("Stalled"))
end
if is("Reconciling", "True") then
  return said("Progressing", because("Reconciling"))
end
if is("NodesHealthy", "False") then
  return said("Degraded", because("NodesHealthy"))
end
if not is("Ready", "True") then
  return said("Progressing", because("Ready"))
end
if is("Paused", "True") then
  return said("Suspended", because("Paused"))
end
return said("Healthy", because("Ready"))
