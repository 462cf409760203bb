-- Health of a TrafficReplay. As a PostSync hook its health is the gate: without this check the hook passes at once.
-- Progressing until the condition Ready is True; then its reason decides. A replay that only serves mocks never ends:
-- it is healthy when the mocks answer.
local function health(status, message)
  return { status = status, message = message }
end

local status = obj.status
if status == nil or status.conditions == nil or #status.conditions == 0 then
  return health("Progressing", "waiting for the operator")
end
if status.observedGeneration ~= nil and obj.metadata.generation ~= nil
    and status.observedGeneration < obj.metadata.generation then
  return health("Progressing", "the operator has not seen this version yet")
end

local newest = status.conditions[#status.conditions]
for _, condition in ipairs(status.conditions) do
  if condition.type == "Ready" and condition.status == "True" then
    if condition.reason == "TestSucceeded" then
      return health("Healthy", condition.message)
    end
    return health("Degraded", condition.message)
  end
end
if obj.spec ~= nil and obj.spec.mode == "responder-only" then
  for _, condition in ipairs(status.conditions) do
    if condition.type == "MocksReady" and condition.status == "True" then
      return health("Healthy", condition.message)
    end
  end
end
return health("Progressing", newest.message)
