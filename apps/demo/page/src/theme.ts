// A classic script that runs before the first paint, to avoid a flash of the wrong theme.
{
  const stored = localStorage.getItem('theme');
  if (stored === 'light' || stored === 'dark') document.documentElement.dataset.theme = stored;
}
