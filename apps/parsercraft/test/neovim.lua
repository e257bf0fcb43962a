-- Works in the buffer of the command line as somebody at the keyboard does, and writes what it saw as JSON.
local seen = { filetype = vim.bo.filetype }

local function eventually(what, holds)
  assert(vim.wait(60000, holds, 50), 'timed out waiting for ' .. what)
end

local function hover(line, character)
  local params = vim.lsp.util.make_position_params()
  params.position = { line = line, character = character }
  local answers = assert(vim.lsp.buf_request_sync(0, 'textDocument/hover', params, 60000))
  local _, answer = next(answers)
  return answer and answer.result and answer.result.contents
end

local done, problem = pcall(function()
  eventually('the server', function()
    local _, client = next(vim.lsp.buf_get_clients(0))
    return client ~= nil and client.initialized
  end)
  eventually('diagnostics', function()
    return #vim.diagnostic.get(0) > 0
  end)
  seen.diagnostics = vim.tbl_map(function(one)
    return { line = one.lnum, column = one.col, message = one.message, severity = one.severity }
  end, vim.diagnostic.get(0))

  -- The mistake of the second line is mended; the server gets the change alone.
  vim.api.nvim_buf_set_lines(0, 1, 2, false, { 'print(sum)' })
  eventually('no diagnostics', function()
    return #vim.diagnostic.get(0) == 0
  end)
  seen.hover = hover(0, 5)

  vim.api.nvim_win_set_cursor(0, { 1, 4 })
  vim.lsp.buf.rename('total')
  eventually('the rename', function()
    return vim.api.nvim_buf_get_lines(0, 1, 2, false)[1] ~= 'print(sum)'
  end)
  seen.renamed = vim.api.nvim_buf_get_lines(0, 0, -1, false)
end)
seen.problem = not done and tostring(problem) or nil

local out = assert(io.open(vim.env.SEEN, 'w'))
out:write(vim.fn.json_encode(seen))
out:close()
vim.cmd('qall!')
