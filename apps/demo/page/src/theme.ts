// No module, and loaded first, so that no wrong colour is seen even for a moment.
{
  const stored = localStorage.getItem('theme');
  if (stored === 'light' || stored === 'dark') document.documentElement.dataset.theme = stored;
}
